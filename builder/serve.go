package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"time"

	"cloister/builder/internal/registry"
	"cloister/builder/internal/registry/trainer"
	"cloister/builder/internal/serve"
	"cloister/builder/internal/serve/api"
)

type serveCommand struct {
	Addr string `default:"127.0.0.1:8080" help:"Address to listen on, HOST:PORT."`
	Site string `default:"build/site" type:"existingdir" help:"Folder of the built site."`

	Registry string        `help:"Folder of a registry to serve as well; it is made if it does not exist." group:"registry"`
	Database string        `env:"CLOISTER_DATABASE" help:"PostgreSQL address instead of SQLite in the folder; also from CLOISTER_DATABASE." group:"registry"`
	Objects  string        `env:"CLOISTER_OBJECTS" help:"Address of the object store instead of the folder: s3://bucket?endpoint=...; also from CLOISTER_OBJECTS." group:"registry"`
	Key      []string      `type:"existingfile" help:"Public keys of those who may sign bundles and channels, PEM; may be repeated." group:"registry"`
	Unsigned bool          `help:"Take bundles that nobody known signed." group:"registry"`
	Gate     string        `help:"Folder of the gate in WebAssembly, build/gate: replay vectors there too before a bundle is published." group:"registry"`
	Public   bool          `help:"Let everybody list and fetch bundles and channels." group:"registry"`
	Workers  int           `default:"1" help:"Training jobs at the same time; 0: this process trains nothing." group:"registry"`
	Lease    time.Duration `default:"30s" help:"How long the job of a worker that died stays with it." group:"registry"`
	Attempts int           `default:"5" help:"How often a job is started before it counts as failed." group:"registry"`
	MaxData  int64         `default:"1073741824" help:"Largest upload of training data in bytes." group:"registry"`
	Rate     float64       `default:"50" help:"Requests a second for each token." group:"registry"`
}

// Help returns the example for --help.
func (serveCommand) Help() string {
	return "Example:\n\n  cloister serve --addr 127.0.0.1:8080\n\nWith a registry and a build service, which then log in JSON:\n\n" +
		"  cloister token create --dir registry --name me --role admin\n" +
		"  cloister serve --registry registry --key publisher.pem.pub"
}

// Run serves the site, and the registry if there is one, until it is
// interrupted.
func (c *serveCommand) Run(ctx context.Context, s streams) (err error) {
	root, err := os.OpenRoot(c.Site)
	if err != nil {
		return err
	}
	defer root.Close()
	o := serve.Options{Site: root.FS(), Log: slog.New(slog.NewTextHandler(s.err, nil))}
	ready := func(a net.Addr) { fmt.Fprintf(s.out, "Cloister is at http://%s\n", a) }
	if c.Registry == "" {
		return serve.Run(ctx, c.Addr, o, ready)
	}
	if c.Workers < 0 {
		return &usageError{fmt.Sprintf("workers: want 0 or more, got %d", c.Workers)}
	}
	o.Log = slog.New(slog.NewJSONHandler(s.err, nil))
	keys, err := trustedKeys(c.Key)
	if err != nil {
		return err
	}
	r, err := registry.Open(ctx, registry.Options{
		Dir: c.Registry, Database: c.Database, Objects: c.Objects, Keys: keys, Unsigned: c.Unsigned, Gate: c.Gate,
		MaxData: c.MaxData, Lease: c.Lease, MaxAttempts: c.Attempts, Log: o.Log,
	})
	if err != nil {
		return err
	}
	defer func() { err = closing(r, err) }()
	a, err := api.New(r, api.Options{PublicRead: c.Public, Rate: c.Rate, Burst: int(2 * c.Rate), Log: o.Log})
	if err != nil {
		return err
	}
	o.API = a
	work, stop := context.WithCancel(ctx)
	done := make(chan error, c.Workers)
	for range c.Workers {
		go func() { done <- r.Work(work, trainer.Train) }()
	}
	err = serve.Run(ctx, c.Addr, o, ready)
	stop() // jobs under way go back to the queue
	for range c.Workers {
		err = errors.Join(err, <-done)
	}
	return err
}

package main

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"os"

	"cloister/builder/internal/serve"
)

type serveCommand struct {
	Addr string `default:"127.0.0.1:8080" help:"Address to listen on, HOST:PORT."`
	Site string `default:"build/site" type:"existingdir" help:"Folder of the built site."`
}

// Help returns the example for --help.
func (serveCommand) Help() string {
	return "Example:\n\n  cloister serve --addr 127.0.0.1:8080"
}

// Run serves the site until it is interrupted.
func (c *serveCommand) Run(ctx context.Context, s streams) error {
	root, err := os.OpenRoot(c.Site)
	if err != nil {
		return err
	}
	defer root.Close()
	log := slog.New(slog.NewTextHandler(s.err, nil))
	return serve.Run(ctx, c.Addr, serve.Options{Site: root.FS(), Log: log}, func(a net.Addr) {
		fmt.Fprintf(s.out, "Cloister is at http://%s\n", a)
	})
}

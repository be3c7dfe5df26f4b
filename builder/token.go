package main

import (
	"context"
	"fmt"
	"time"

	"cloister/builder/internal/registry"
)

type tokenCommand struct {
	Create tokenCreate `cmd:"" help:"Make a token and print its secret, once."`
	List   tokenList   `cmd:"" help:"List tokens."`
	Revoke tokenRevoke `cmd:"" help:"End a token."`
}

// storeFlags say where a registry lies.
type storeFlags struct {
	Dir      string `required:"" name:"dir" help:"Folder of the registry."`
	Database string `env:"CLOISTER_DATABASE" help:"PostgreSQL address instead of SQLite in the folder; also from CLOISTER_DATABASE."`
	Objects  string `env:"CLOISTER_OBJECTS" help:"Address of the object store instead of the folder: s3://bucket?endpoint=..., keys as the AWS tools have them; also from CLOISTER_OBJECTS."`
}

func (f *storeFlags) open(ctx context.Context) (*registry.Registry, error) {
	return registry.Open(ctx, registry.Options{Dir: f.Dir, Database: f.Database, Objects: f.Objects})
}

type tokenCreate struct {
	Name     string        `required:"" help:"Who gets it, for the audit log."`
	Role     string        `required:"" enum:"read,publish,admin" help:"read, publish or admin."`
	Lifetime time.Duration `help:"How long it is valid, 720h for instance; default for ever."`
	storeFlags
}

// Help returns the example for --help.
func (tokenCreate) Help() string {
	return "Works on the folder or database itself, on the machine of the registry; only a hash of the secret is stored.\n\n" +
		"Example:\n\n  cloister token create --dir registry --name ci --role publish"
}

// Run makes a token.
func (c *tokenCreate) Run(ctx context.Context, s streams) (err error) {
	r, err := c.open(ctx)
	if err != nil {
		return err
	}
	defer func() { err = closing(r, err) }()
	secret, _, err := r.CreateToken(ctx, registry.Local, c.Name, registry.Role(c.Role), c.Lifetime)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintln(s.out, secret)
	return err
}

type tokenList struct {
	storeFlags
}

// Help returns the example for --help.
func (tokenList) Help() string {
	return "Example:\n\n  cloister token list --dir registry"
}

// Run lists tokens.
func (c *tokenList) Run(ctx context.Context, s streams) (err error) {
	r, err := c.open(ctx)
	if err != nil {
		return err
	}
	defer func() { err = closing(r, err) }()
	list, err := r.Tokens(ctx)
	if err != nil {
		return err
	}
	p := &printer{w: s.out}
	for _, t := range list {
		state := "valid"
		if t.Revoked != "" {
			state = "revoked " + t.Revoked
		} else if t.Expires != "" {
			state = "until " + t.Expires
		}
		p.line("%s  %-7s  %-24s  %s", t.ID, t.Role, t.Name, state)
	}
	return p.err
}

type tokenRevoke struct {
	ID string `arg:"" help:"Id of the token, as token list shows it."`
	storeFlags
}

// Help returns the example for --help.
func (tokenRevoke) Help() string {
	return "Example:\n\n  cloister token revoke 019a... --dir registry"
}

// Run ends a token.
func (c *tokenRevoke) Run(ctx context.Context, s streams) (err error) {
	r, err := c.open(ctx)
	if err != nil {
		return err
	}
	defer func() { err = closing(r, err) }()
	if err := r.RevokeToken(ctx, registry.Local, c.ID); err != nil {
		return err
	}
	_, err = fmt.Fprintf(s.out, "revoked  %s\n", c.ID)
	return err
}

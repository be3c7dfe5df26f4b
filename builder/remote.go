package main

import (
	"errors"
	"fmt"
	"strings"

	"cloister/builder/internal/client"
)

// remoteFlags say which registry a command talks to.
type remoteFlags struct {
	Registry string `required:"" env:"CLOISTER_REGISTRY" help:"Address of the registry, http or https; also from CLOISTER_REGISTRY."`
	Token    string `env:"CLOISTER_TOKEN" help:"Token; better from CLOISTER_TOKEN, where other users of the machine cannot see it."`
}

func (f *remoteFlags) client() (*client.Client, error) {
	c, err := client.New(f.Registry, client.Options{Token: f.Token})
	if err != nil {
		return nil, &usageError{err.Error()}
	}
	return c, nil
}

// versionOf splits NAME@VERSION.
func versionOf(s string) (name, version string, err error) {
	name, version, ok := strings.Cut(s, "@")
	if !ok || name == "" || version == "" {
		return "", "", &usageError{fmt.Sprintf("%.64q: want NAME@VERSION", s)}
	}
	return name, version, nil
}

// status returns the status of an answer that said no, 0 for another error.
func statusOf(err error) int {
	if e, ok := errors.AsType[*client.Error](err); ok {
		return e.Status
	}
	return 0
}

package main

import (
	"bytes"
	"fmt"
	"os"

	"cloister/builder/internal/standalone"
	"cloister/shared/score"
)

type standaloneCommand struct {
	Bundle string `required:"" type:"existingfile" help:"Bundle that the page scores with."`
	Site   string `default:"build/site" type:"existingdir" help:"Folder of the built site."`
	Out    string `required:"" help:"File to write."`
}

// Help returns the example for --help.
func (standaloneCommand) Help() string {
	return "Writes the page as one HTML file that works from a disk without any server.\n\nExample:\n\n  cloister standalone --bundle models/flows/1.bundle --out build/cloister.html"
}

// Run writes the page, after a bundle that the page would refuse is refused.
func (c *standaloneCommand) Run(s streams) error {
	file, err := readBundle(c.Bundle)
	if err != nil {
		return err
	}
	info, err := score.New().Load(file)
	if err != nil {
		return err
	}
	root, err := os.OpenRoot(c.Site)
	if err != nil {
		return err
	}
	defer root.Close()
	var page bytes.Buffer
	if err := standalone.Write(&page, root.FS(), file, info.Name, info.Version); err != nil {
		return fmt.Errorf("%s: %w (make build makes the site)", c.Site, err)
	}
	if err := writeFile(c.Out, page.Bytes()); err != nil {
		return err
	}
	_, err = fmt.Fprintf(s.out, "wrote %s, %d bytes, with bundle %s %s\n", c.Out, page.Len(), info.Name, info.Version)
	return err
}

package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"os"

	"cloister/shared/sign"
)

type keygenCommand struct {
	Out string `arg:"" help:"File of the private key; the public one goes beside it, with .pub at the end."`
}

// Help returns the example for --help.
func (keygenCommand) Help() string {
	return "Neither file may exist. The private key is not encrypted: keep it where only you can read it.\n\n" +
		"Example:\n\n  cloister keygen publisher.pem\n\nwrites publisher.pem (PKCS #8) and publisher.pem.pub, ECDSA on P-256, which OpenSSL and model_signing read."
}

// Run makes a key pair.
func (c *keygenCommand) Run(s streams) error {
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	public, err := sign.NewKey("", &private.PublicKey)
	if err != nil {
		return err
	}
	der, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		return err
	}
	// The public file comes first: if it exists, no private key without its
	// public one is left behind.
	if err := writeNew(c.Out+".pub", public.PEM(), 0o644); err != nil {
		return err
	}
	if err := writeNew(c.Out, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}), 0o600); err != nil {
		os.Remove(c.Out + ".pub") // best effort: it belongs to no private key
		return err
	}
	_, err = fmt.Fprintf(s.out, "private key  %s\npublic key   %s.pub\nfingerprint  %s\n", c.Out, c.Out, public.Fingerprint())
	return err
}

// writeNew writes a file that does not exist yet.
func writeNew(path string, data []byte, mode os.FileMode) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, mode)
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	if err == nil {
		err = f.Sync()
	}
	if e := f.Close(); err == nil {
		err = e
	}
	if err != nil {
		os.Remove(path)
	}
	return err
}

package main

import (
	"crypto/ecdsa"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"os"

	"cloister/shared/bundle"
	"cloister/shared/sign"
)

type signCommand struct {
	Bundle    string `arg:"" type:"existingfile" help:"Bundle to sign; a signature that it has is replaced."`
	Key       string `required:"" xor:"by" type:"existingfile" help:"Private key, PEM, not encrypted, ECDSA on P-256, P-384 or P-521."`
	Signature string `required:"" xor:"by" type:"existingfile" help:"Instead of signing, put in this signature, which another tool made of the unpacked bundle."`
	Out       string `help:"File of the signed bundle. Default: the bundle itself."`
}

// Help returns the example for --help.
func (signCommand) Help() string {
	return "Adds model.sig, an OpenSSF Model Signing 1.0 signature of every other entry, and changes nothing else. " +
		"The same bundle and key give the same bytes.\n\nExample:\n\n  cloister sign build/flows.bundle --key publisher.pem\n\n" +
		"With a key that model_signing keeps, for example in hardware:\n\n  unzip build/flows.bundle -d flows && model_signing sign key flows --private_key k.pem --signature model.sig\n" +
		"  cloister sign build/flows.bundle --signature model.sig"
}

// Run signs a bundle.
func (c *signCommand) Run(s streams) error {
	file, err := readBundle(c.Bundle)
	if err != nil {
		return err
	}
	a, err := bundle.Open(file, bundle.Limits{})
	if err != nil {
		return fmt.Errorf("%s: %w", c.Bundle, err)
	}
	signature, keys, err := c.signature(a)
	if err != nil {
		return err
	}
	signed, err := sign.Attach(a, signature)
	if err != nil {
		return fmt.Errorf("%s: %w", c.Bundle, err)
	}
	// What is handed out is what was checked.
	if a, err = bundle.Open(signed, bundle.Limits{}); err != nil {
		return fmt.Errorf("the signed bundle does not read back: %w", err)
	}
	trust, err := sign.Check(a, keys)
	if err != nil {
		return err
	}
	if len(keys) > 0 && trust.State != sign.Verified {
		return fmt.Errorf("the signed bundle does not verify: %s", trust.State) // unreachable: the key has just signed it
	}
	out := c.Out
	if out == "" {
		out = c.Bundle
	}
	if err := writeFile(out, signed); err != nil {
		return err
	}
	_, err = fmt.Fprintf(s.out, "signed  %s\n  sha256  %x\n  key     %s\n", out, a.SHA256(), trust.Fingerprint)
	return err
}

// signature returns model.sig and the keys that it must verify with.
func (c *signCommand) signature(a *bundle.Archive) ([]byte, []sign.Key, error) {
	if c.Signature != "" {
		signature, err := readSmall(c.Signature)
		return signature, nil, err
	}
	private, err := readPrivateKey(c.Key)
	if err != nil {
		return nil, nil, err
	}
	public, err := sign.NewKey("", &private.PublicKey)
	if err != nil {
		return nil, nil, fmt.Errorf("%s: %w", c.Key, err)
	}
	b, err := a.Decode()
	if err != nil {
		return nil, nil, fmt.Errorf("%s: %w", c.Bundle, err)
	}
	signature, err := sign.Sign(private, b.Manifest().Name, a.Digests())
	return signature, []sign.Key{public}, err
}

// maxKeyFile bounds a file of keys in bytes.
const maxKeyFile = 64 << 10

// readSmall returns a file of keys.
func readSmall(path string) ([]byte, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if info.Size() > maxKeyFile {
		return nil, fmt.Errorf("%s: %d bytes, a file of keys has at most %d", path, info.Size(), maxKeyFile)
	}
	return os.ReadFile(path)
}

// readPrivateKey reads PEM: PKCS #8 or, as older tools write it, SEC 1. Its
// errors show nothing of the file.
func readPrivateKey(path string) (*ecdsa.PrivateKey, error) {
	text, err := readSmall(path)
	if err != nil {
		return nil, err
	}
	for {
		var block *pem.Block
		if block, text = pem.Decode(text); block == nil {
			return nil, fmt.Errorf("%s: it holds no private key in PEM", path)
		}
		switch block.Type {
		case "PRIVATE KEY":
			key, err := x509.ParsePKCS8PrivateKey(block.Bytes)
			if err != nil {
				return nil, fmt.Errorf("%s: the private key cannot be read", path)
			}
			if key, ok := key.(*ecdsa.PrivateKey); ok {
				return key, nil
			}
			return nil, fmt.Errorf("%s: the private key is not ECDSA", path)
		case "EC PRIVATE KEY":
			key, err := x509.ParseECPrivateKey(block.Bytes)
			if err != nil {
				return nil, fmt.Errorf("%s: the private key cannot be read; is it encrypted?", path)
			}
			return key, nil
		case "ENCRYPTED PRIVATE KEY":
			return nil, fmt.Errorf("%s: the private key is encrypted; openssl pkey -in it -out another decrypts it", path)
		}
	}
}

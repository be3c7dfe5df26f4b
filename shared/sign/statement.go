package sign

import (
	"crypto/ecdsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"

	"cloister/shared/bundle"
)

// Constants of the four layers, outermost first.
const (
	mediaType     = "application/vnd.dev.sigstore.bundle.v0.3+json"
	payloadType   = "application/vnd.in-toto+json"
	statementType = "https://in-toto.io/Statement/v1"
	predicateType = "https://model_signing/signature/v1.0"
)

// ignored are the paths that a tool which looks at an unpacked bundle leaves
// out, those of the specification (section 6.2) and the signature itself.
var ignored = []string{bundle.SignatureName, ".git", ".gitattributes", ".github", ".gitignore"}

// envelope is the part of a signature that is not signed.
type envelope struct {
	hint      string // fingerprint of the key
	payload   []byte // the statement
	signature []byte // ASN.1 DER
}

// statement is the part that is signed, as far as it counts.
type statement struct {
	root      bundle.Digest
	resources []bundle.File // Size is 0
}

// preAuthentication returns the bytes that are signed: type and payload with
// their lengths (DSSE 1.0, protocol, "PAE").
func preAuthentication(kind string, payload []byte) []byte {
	b := []byte("DSSEv1 " + strconv.Itoa(len(kind)) + " " + kind + " " + strconv.Itoa(len(payload)) + " ")
	return append(b, payload...)
}

// rootOf returns the SHA-256 over the digests of files in their order (OMS
// 1.0, section 6.5.1).
func rootOf(files []bundle.File) bundle.Digest {
	h := sha256.New()
	for _, f := range files {
		h.Write(f.SHA256[:])
	}
	return bundle.Digest(h.Sum(nil))
}

// Sign returns the signature of key over files, which are sorted by name as
// [bundle.Archive.Digests] returns them. subject is a name for the whole that
// verifiers ignore, in general the bundle's; it must not be empty. The
// ECDSA nonce follows from key and content (RFC 6979), so the same arguments
// give the same bytes. No files, unsorted files and a curve other than P-256,
// P-384 and P-521 are errors.
func Sign(key *ecdsa.PrivateKey, subject string, files []bundle.File) ([]byte, error) {
	public, err := NewKey("", &key.PublicKey)
	if err != nil {
		return nil, err
	}
	if subject == "" || len(files) == 0 {
		return nil, &FormatError{"", "nothing to sign"}
	}
	type resource struct {
		Name      string `json:"name"`
		Algorithm string `json:"algorithm"`
		Digest    string `json:"digest"`
	}
	var resources []resource
	for i, f := range files {
		if i > 0 && f.Name <= files[i-1].Name {
			return nil, &FormatError{fmt.Sprintf("file %d", i), fmt.Sprintf("%.64q is out of order", f.Name)}
		}
		resources = append(resources, resource{f.Name, "sha256", hex.EncodeToString(f.SHA256[:])})
	}
	type object = map[string]any // encoding/json sorts its keys
	root := rootOf(files)
	payload, err := json.Marshal(object{
		"_type":         statementType,
		"subject":       []object{{"name": subject, "digest": object{"sha256": hex.EncodeToString(root[:])}}},
		"predicateType": predicateType,
		"predicate": object{
			"serialization": object{"method": "files", "hash_type": "sha256", "allow_symlinks": false, "ignore_paths": ignored},
			"resources":     resources,
		},
	})
	if err != nil {
		return nil, &FormatError{"subject", err.Error()}
	}
	sum, hash := digest(key.Curve, preAuthentication(payloadType, payload))
	signature, err := key.Sign(nil, sum, hash)
	if err != nil {
		return nil, &FormatError{"key", err.Error()}
	}
	// A field order of our own choice would do; this is model_signing's.
	type signed struct {
		Sig   []byte `json:"sig"`
		KeyID string `json:"keyid"`
	}
	type dsse struct {
		Payload     []byte   `json:"payload"`
		PayloadType string   `json:"payloadType"`
		Signatures  []signed `json:"signatures"`
	}
	type publicKey struct {
		Hint string `json:"hint"`
	}
	type material struct {
		PublicKey   publicKey  `json:"publicKey"`
		TlogEntries []struct{} `json:"tlogEntries"`
	}
	text, err := json.Marshal(struct {
		MediaType string   `json:"mediaType"`
		Material  material `json:"verificationMaterial"`
		Envelope  dsse     `json:"dsseEnvelope"`
	}{
		mediaType, material{publicKey{public.fingerprint}, []struct{}{}},
		dsse{payload, payloadType, []signed{{signature, ""}}},
	})
	if err == nil && len(text) > MaxSize {
		err = fmt.Errorf("%d bytes, at most %d", len(text), MaxSize)
	}
	if err != nil {
		return nil, &FormatError{"", err.Error()}
	}
	return text, nil
}

// parseEnvelope reads a signature up to its payload. Nothing in here is
// signed, so every value that it may have is fixed, but for the two forms of
// an absent keyid or log (OMS 1.0, section 11.1).
func parseEnvelope(b []byte) (envelope, error) {
	if len(b) > MaxSize {
		return envelope{}, &FormatError{"", fmt.Sprintf("%d bytes, at most %d", len(b), MaxSize)}
	}
	v, err := parseJSON(b)
	if err != nil {
		return envelope{}, err
	}
	var r reader
	top := r.object(v, "", "mediaType verificationMaterial dsseEnvelope", "")
	r.constant(top["mediaType"], "mediaType", mediaType)
	material := r.object(top["verificationMaterial"], "verificationMaterial", "publicKey", "tlogEntries")
	key := r.object(material["publicKey"], "verificationMaterial.publicKey", "hint", "")
	e := envelope{hint: r.text(key["hint"], "verificationMaterial.publicKey.hint")}
	if _, ok := parseHex(e.hint); !ok {
		r.fail("verificationMaterial.publicKey.hint", "want a SHA-256")
	}
	if log, ok := material["tlogEntries"]; ok && len(r.list(log, "verificationMaterial.tlogEntries")) > 0 {
		r.fail("verificationMaterial.tlogEntries", "a key's signature is in no log")
	}
	dsse := r.object(top["dsseEnvelope"], "dsseEnvelope", "payload payloadType signatures", "")
	r.constant(dsse["payloadType"], "dsseEnvelope.payloadType", payloadType)
	e.payload = r.base64(dsse["payload"], "dsseEnvelope.payload")
	signatures := r.list(dsse["signatures"], "dsseEnvelope.signatures")
	if len(signatures) != 1 {
		r.fail("dsseEnvelope.signatures", fmt.Sprintf("want one, got %d", len(signatures)))
	} else {
		s := r.object(signatures[0], "dsseEnvelope.signatures[0]", "sig", "keyid")
		e.signature = r.base64(s["sig"], "dsseEnvelope.signatures[0].sig")
		if id := s["keyid"]; id != nil {
			r.constant(id, "dsseEnvelope.signatures[0].keyid", "")
		}
	}
	return e, r.err
}

// parseStatement reads what is signed. Only resources may have members that
// are not known here, as OMS 1.0, section 5.2.1, asks.
func parseStatement(payload []byte) (*statement, error) {
	v, err := parseJSON(payload)
	if err != nil {
		return nil, err
	}
	var r reader
	top := r.object(v, "", "_type subject predicateType predicate", "")
	r.constant(top["_type"], "_type", statementType)
	r.constant(top["predicateType"], "predicateType", predicateType)
	s := &statement{}
	if subjects := r.list(top["subject"], "subject"); len(subjects) == 1 {
		subject := r.object(subjects[0], "subject[0]", "name digest", "")
		if r.text(subject["name"], "subject[0].name") == "" {
			r.fail("subject[0].name", "want a name")
		}
		s.root = r.sha256(r.object(subject["digest"], "subject[0].digest", "sha256", "")["sha256"], "subject[0].digest.sha256")
	} else {
		r.fail("subject", fmt.Sprintf("want one, got %d", len(subjects)))
	}
	predicate := r.object(top["predicate"], "predicate", "resources serialization", "")
	how := r.object(predicate["serialization"], "predicate.serialization", "method hash_type allow_symlinks", "ignore_paths")
	r.constant(how["method"], "predicate.serialization.method", "files")
	r.constant(how["hash_type"], "predicate.serialization.hash_type", "sha256")
	if _, ok := how["allow_symlinks"].(bool); !ok {
		r.fail("predicate.serialization.allow_symlinks", "want true or false")
	}
	if paths, ok := how["ignore_paths"]; ok {
		for _, p := range r.list(paths, "predicate.serialization.ignore_paths") {
			r.text(p, "predicate.serialization.ignore_paths")
		}
	}
	for i, v := range r.list(predicate["resources"], "predicate.resources") {
		at := "predicate.resources[" + strconv.Itoa(i) + "]"
		f := r.object(v, at, "name algorithm digest", anyOther)
		name := r.text(f["name"], at+".name")
		r.constant(f["algorithm"], at+".algorithm", "sha256")
		if name == "" || i > 0 && name <= s.resources[i-1].Name {
			r.fail(at+".name", "want names in order, each once")
		}
		s.resources = append(s.resources, bundle.File{Name: name, SHA256: r.sha256(f["digest"], at+".digest")})
		if r.err != nil {
			break
		}
	}
	if len(s.resources) == 0 {
		r.fail("predicate.resources", "want at least one")
	}
	return s, r.err
}

// base64 returns what v encodes. Line feeds, which encoding/base64 skips, are
// no base64.
func (r *reader) base64(v any, at string) []byte {
	text := r.text(v, at)
	b, err := base64.StdEncoding.Strict().DecodeString(text)
	if err != nil || text == "" || strings.ContainsAny(text, "\r\n") {
		r.fail(at, "want base64")
		return nil
	}
	return b
}

// sha256 returns the digest that v spells.
func (r *reader) sha256(v any, at string) bundle.Digest {
	d, ok := parseHex(r.text(v, at))
	if !ok {
		r.fail(at, "want a SHA-256 in lower-case hex")
	}
	return d
}

func parseHex(s string) (d bundle.Digest, ok bool) {
	if len(s) != 2*len(d) || strings.ContainsFunc(s, func(c rune) bool { return 'A' <= c && c <= 'F' }) {
		return d, false
	}
	_, err := hex.Decode(d[:], []byte(s))
	return d, err == nil
}

// Package edge answers the requests of an edge worker: the site's bundles and
// their signed channel, health, and scoring for those who asked for it. It
// hides which storage operations an answer needs and in which order.
//
//	e, err := edge.New(edge.Config{Channel: keys})
//	x := e.Serve(request)
//	for op, ok := x.Next(edge.Result{}); ok; op, ok = x.Next(result) {
//		result = perform(op) // read storage, send bytes
//	}
//
// A request is a conversation: the program says what it needs ([Op]), the
// platform does it and says how it went ([Result]). So one instance serves
// requests that overlap, never waits, and the same code runs in a worker, in a
// test and behind net/http. Limits: bodies of [Config.MaxScore] and
// [Config.MaxPublish] bytes, [Config.MaxScoring] requests scoring at a time.
package edge

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"fmt"
	"iter"
	"strings"
	"time"
	"unicode"

	"cloister/shared/header"
	"cloister/shared/score"
	"cloister/shared/sign"
)

// Config is what the operator decides. The zero value serves the site and its
// own bundles, scores nothing and accepts nothing.
type Config struct {
	Channel      []sign.Key // who may sign the channel; none: the channel is ignored
	Publishers   []sign.Key // who may sign bundles that are uploaded
	ScoreTokens  [][32]byte // SHA-256 of each token that may score; none: scoring is off
	UploadTokens [][32]byte // SHA-256 of each token that may upload; none: uploading is off
	ScoreBundle  string     // name of the bundle to score with; "" means "flows"
	MaxScore     int64      // bytes of a body to score; 0 means 1 MiB
	MaxPublish   int64      // bytes of an uploaded bundle; 0 means 8 MiB
	MaxScoring   int        // requests that score at the same time; 0 means 4
	// Release, Deployment and Tag say what runs: the program's release, the
	// platform's id of this deployment and the operator's name for it.
	Release, Deployment, Tag string
	Kernel                   bool // whether scoring runs in the vector module
	// Problem is what is wrong with the operator's settings, "" if nothing is:
	// the deployment then is not ready.
	Problem string
	Now     func() time.Time // nil means time.Now
}

// Edge answers requests. It is used by one goroutine at a time; exchanges may
// overlap.
type Edge struct {
	c       Config
	scoring int   // exchanges that score now
	seen    int64 // highest version of the channel
	loaded  struct {
		key    string
		scorer *score.Scorer
	}
}

// New returns an Edge.
func New(c Config) *Edge {
	if c.ScoreBundle == "" {
		c.ScoreBundle = "flows"
	}
	if c.MaxScore == 0 {
		c.MaxScore = 1 << 20
	}
	if c.MaxPublish == 0 {
		c.MaxPublish = 8 << 20
	}
	if c.MaxScoring == 0 {
		c.MaxScoring = 4
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	return &Edge{c: c}
}

// ParseTokens reads SHA-256 sums in hexadecimal, separated by commas or white
// space.
func ParseTokens(text string) ([][32]byte, error) {
	var out [][32]byte
	for i, word := range strings.FieldsFunc(text, func(r rune) bool { return r == ',' || unicode.IsSpace(r) }) {
		sum, err := hex.DecodeString(word)
		if err != nil || len(sum) != 32 {
			return nil, fmt.Errorf("token %d: want the SHA-256 of a token in 64 hexadecimal digits", i+1)
		}
		out = append(out, [32]byte(sum))
	}
	return out, nil
}

// Request is a request without its body's stream: platforms read the body
// first, up to [Edge.MaxBody], and set TooLarge when there was more.
type Request struct {
	Method, Path string // the path as it stands in the address, without query
	Query        string
	Header       func(name string) string
	Body         []byte
	TooLarge     bool
}

// MaxBody returns how many bytes of the body of a request the platform has to
// read.
func (e *Edge) MaxBody(method, path string) int64 {
	switch {
	case method == "POST" && path == scorePath:
		return e.c.MaxScore
	case method == "PUT" && path == channelPath:
		return sign.MaxSize
	case method == "PUT":
		return e.c.MaxPublish
	}
	return 0
}

// OpKind says what an [Op] asks for.
type OpKind string

// The operations. Get and Asset open an object, which Read and Respond with
// Forward then use.
const (
	OpGet     OpKind = "get"     // Key of storage, with IfNoneMatch, Offset, Length
	OpAsset   OpKind = "asset"   // Key: a path of the site
	OpRead    OpKind = "read"    // the opened object, at most Length bytes
	OpPut     OpKind = "put"     // Key, Body, SHA256, IfMatch ("" means: must not exist)
	OpRespond OpKind = "respond" // Status, Headers; Forward sends the opened object as the body
	OpChunk   OpKind = "chunk"   // Body: the next bytes of the response
)

// Op is one thing that the platform has to do.
type Op struct {
	Kind           OpKind
	Key            string
	IfNoneMatch    string // entity tag of the storage
	IfMatch        string
	Offset, Length int64 // Length 0: to the end
	SHA256         [32]byte
	Body           []byte
	Status         int
	Headers        []header.Header
	Forward        bool
}

// Result says how an operation went.
type Result struct {
	Found    bool   // of Get, Asset: the object exists
	Modified bool   // of Get: IfNoneMatch did not hold, there is a body
	Size     int64  // of the whole object
	ETag     string // of the storage
	Body     []byte // of Read
	OK       bool   // of Put: the condition held and the bytes are stored
	Err      string // the platform failed: what it says
}

// Exchange is one request being answered.
type Exchange struct {
	next   func() (Op, bool)
	stop   func()
	result Result
	// Status and Failure are for the log: what was answered and, for people
	// who operate this, what went wrong.
	Status  int
	Failure string
}

// stopped unwinds an exchange whose client has gone.
type stopped struct{}

// Serve begins to answer r. The caller performs each operation that Next
// returns and passes its result to the following Next.
func (e *Edge) Serve(r Request) *Exchange {
	x := &Exchange{}
	x.next, x.stop = iter.Pull(func(yield func(Op) bool) {
		t := &talk{e: e, r: r, x: x, yield: yield}
		defer func() {
			switch p := recover(); p.(type) {
			case nil, stopped:
			default:
				t.fail(fmt.Sprintf("panic: %v", p))
				if x.Status == 0 {
					t.refuse(500, "something went wrong here; the log says what")
				}
			}
		}()
		t.route()
	})
	return x
}

// Next hands over the result of the operation before, a zero Result at first,
// and returns the next one, or false when the request is answered.
func (x *Exchange) Next(r Result) (Op, bool) {
	x.result = r
	return x.next()
}

// Stop ends an exchange early: the client has gone.
func (x *Exchange) Stop() { x.stop() }

// talk is the program's side of an exchange.
type talk struct {
	e     *Edge
	r     Request
	x     *Exchange
	yield func(Op) bool
}

// do has an operation performed.
func (t *talk) do(op Op) Result {
	if !t.yield(op) {
		panic(stopped{})
	}
	return t.x.result
}

func (t *talk) fail(what string) {
	if t.x.Failure == "" {
		t.x.Failure = what
	}
}

// allowed reports whether the request carries a token of tokens.
func (t *talk) allowed(tokens [][32]byte) bool {
	scheme, token, _ := strings.Cut(t.r.Header("Authorization"), " ")
	sum := sha256.Sum256([]byte(token))
	ok := 0
	for i := range tokens {
		ok |= subtle.ConstantTimeCompare(tokens[i][:], sum[:])
	}
	return ok == 1 && strings.EqualFold(scheme, "Bearer") && token != ""
}

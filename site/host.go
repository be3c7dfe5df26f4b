package site

import (
	"cloister/shared/job"

	"github.com/vugu/vugu"
)

// Host is what the components need from the window they run in. The browser's
// is cloister/wasm/internal/window; tests use one in memory. All methods but
// ReadRange and Pause return at once, and none calls back before it returns.
type Host interface {
	// Connect starts a scorer of its own and returns the pipe to it. stop
	// ends the scorer and gives its memory back; the pipe then reads as
	// closed.
	Connect() (pipe job.Pipe, stop func(), err error)
	// Bundle returns the default bundle's file, which the shell fetched
	// before the page was sealed, or nil.
	Bundle() (name string, data []byte)
	// Stock returns the bundles that the shell fetched before the page was
	// sealed, the default one first.
	Stock() []Stocked
	// Sample returns the bundled sample and a sentence on what it is, or nil.
	Sample() (f job.File, about string)
	// Files returns the files of a change or drop event, in order.
	Files(e vugu.DOMEvent) []job.File
	// Read reads a whole file and calls done once, on a goroutine of its own.
	Read(f job.File, done func(data []byte, err error))
	// ReadRange returns bytes [from, to) of f, fewer only at its end. It
	// blocks.
	ReadRange(f job.File, from, to int64) ([]byte, error)
	// Join returns a file of ranges of f, one after the other, without
	// copying them.
	Join(f job.File, ranges [][2]int64) job.File
	// Cores returns how many threads the machine runs at once, at least 1.
	Cores() int
	// Memory returns what the programs take up now.
	Memory() Memory
	// Seal returns what the shell knows about the window's connections.
	Seal() Seal
	// Attempts runs every attempt to get a byte out of the window, and calls
	// done once, on a goroutine of its own, with what came of each, or with
	// nil when the shell has no such check.
	Attempts(done func([]Attempt))
	// Download saves parts, joined, as a file.
	Download(name, mime string, parts [][]byte)
	// Gather returns how to save a file of parts whose sum need not fit into the
	// page's own memory: add keeps a part, save saves those that were added.
	Gather() (add func(part []byte), save func(name, mime string))
	// Copy puts text on the clipboard.
	Copy(text string)
	// Theme returns the stored choice: "light", "dark" or "" for the system's.
	Theme() string
	// SetTheme shows and stores a choice of Theme.
	SetTheme(theme string)
	// Preference returns what was stored under a name, "" for nothing: "language",
	// "clock".
	Preference(name string) string
	// SetPreference stores a choice of the analyst.
	SetPreference(name, value string)
	// Locale makes a language that of the document and returns how its numbers
	// are written where the machine is.
	Locale(language string) Locale
	// ClockOffset returns how many minutes the machine's clock is ahead of UTC
	// at a time in milliseconds since 1970.
	ClockOffset(ms int64) (minutes int)
	// Pause waits until the window has had its turn, in which it handles events
	// and draws. It blocks, and must not be called with the lock held.
	Pause()
	// Focus moves the focus to an element by id after the next drawing.
	Focus(id string)
	// ScrollTo sets an element's vertical scroll position, in px, after the
	// next drawing.
	ScrollTo(id string, top float64)
	// Size returns an element's inner size in px; zeros when it is not there.
	Size(id string) (width, height float64)
	// OnChange has f called whenever the window's size or its seal has changed.
	OnChange(f func())
	// Settings returns the part of the window's address behind #, without it.
	Settings() string
	// SetSettings replaces that part, without a step in the history.
	SetSettings(s string)
	// Hold keeps pointer events of a drag coming to the element that the
	// event was sent to, until the pointer is released.
	Hold(e vugu.DOMEvent)
}

// Stocked is a bundle at hand, as the site's list describes it.
type Stocked struct {
	Name, Version string
	Title, Schema string // "" where the list does not say
	SHA256        string
	File          job.File
}

// Memory is what the programs take up, in bytes of WebAssembly memory.
type Memory struct {
	Page    int64
	Workers []int64 // by worker that runs
}

// Seal says whether the window can still open connections, as the shell
// measured it. The zero value means that nothing is known, which is shown as
// not sealed.
type Seal struct {
	Sealed   bool
	BytesOut int64    // sent since the page was sealed, as far as the shell can see
	Refused  int64    // attempts to connect that the browser refused since
	Notes    []string // what was checked, and what stays open
}

// Attempt is one way of getting a byte out of the window, tried.
type Attempt struct {
	Channel string // "image from another origin"
	Blocked bool
	Note    string
}

package registry

import (
	"context"
	"errors"
	"fmt"
	"syscall"

	"github.com/jackc/pgx/v5/pgconn"
	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"
)

// Kind says what a caller can do about an [Error].
type Kind int

// The kinds.
const (
	Internal Kind = iota // our fault, or the machine's
	NotFound             // there is no such thing
	Invalid              // the request is wrong
	Conflict             // it contradicts what is there
	Denied               // no token, or one of too low a role
	TooLarge             // over a size limit
	Busy                 // over a rate or number; try later
	Full                 // no space is left; free some
	Corrupt              // what was stored is not what was read
)

// Error is what every call of this package returns when it fails.
type Error struct {
	Kind Kind
	Text string // for people
	Err  error  // the cause, or nil
}

// Error returns the text and the cause.
func (e *Error) Error() string {
	if e.Err == nil {
		return e.Text
	}
	return e.Text + ": " + e.Err.Error()
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// KindOf returns the kind of err, Internal if it has none.
func KindOf(err error) Kind {
	if e, ok := errors.AsType[*Error](err); ok {
		return e.Kind
	}
	return Internal
}

func failf(kind Kind, format string, args ...any) error {
	return &Error{Kind: kind, Text: fmt.Sprintf(format, args...)}
}

// wrap says what was done when err came, and recognises a full disk. An
// *Error keeps its kind; the context's errors stay what they are.
func wrap(what string, err error) error {
	if err == nil {
		return nil
	}
	if _, ok := errors.AsType[*Error](err); ok || errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	if isFull(err) {
		return &Error{Full, what + ": no space is left: free some and try again", err}
	}
	return &Error{Internal, what, err}
}

// isFull reports whether err says that a disk or quota is full.
func isFull(err error) bool {
	if errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) {
		return true
	}
	if e, ok := errors.AsType[*sqlite.Error](err); ok {
		return e.Code()&0xff == sqlite3.SQLITE_FULL
	}
	if e, ok := errors.AsType[*pgconn.PgError](err); ok {
		return e.Code == "53100" // disk_full
	}
	return false
}

// isUnique reports whether err says that a row of that key exists.
func isUnique(err error) bool {
	if e, ok := errors.AsType[*sqlite.Error](err); ok {
		return e.Code() == sqlite3.SQLITE_CONSTRAINT_PRIMARYKEY || e.Code() == sqlite3.SQLITE_CONSTRAINT_UNIQUE
	}
	if e, ok := errors.AsType[*pgconn.PgError](err); ok {
		return e.Code == "23505" // unique_violation
	}
	return false
}

package registry_test

import (
	"errors"
	"fmt"
	"syscall"
	"testing"

	"github.com/jackc/pgx/v5/pgconn"

	"cloister/builder/internal/registry"
)

// Errors that mean a full disk are told as such, however deep they lie, and
// others are not.
func TestWrap_knowsFullDisks(t *testing.T) {
	for _, err := range []error{
		syscall.ENOSPC, fmt.Errorf("write: %w", syscall.ENOSPC), errors.Join(errors.New("x"), syscall.EDQUOT), &pgconn.PgError{Code: "53100"},
	} {
		want(t, err.Error(), registry.Wrap("upload", err), registry.Full)
	}
	for _, err := range []error{syscall.EIO, errors.New("no space left on device"), &pgconn.PgError{Code: "23505"}} {
		want(t, err.Error(), registry.Wrap("upload", err), registry.Internal)
	}
}

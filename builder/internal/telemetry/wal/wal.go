// Package wal reads the SQLite databases in which agents keep telemetry until
// it is delivered. It hides tables, checksums and envelopes.
//
//	raw, report, err := wal.Read(ctx, "flowagent.db")
//
// The database may be in WAL mode and may be written by another process
// meanwhile: it is opened read-only, one read transaction sees one state, and
// a writer is never blocked. Nothing is made up for what is missing: a
// database without one usable sample is a [*NothingError] that says what was
// found.
package wal

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/crypto/blake2b"
	_ "modernc.org/sqlite" // the driver registers itself

	"cloister/builder/internal/telemetry/table"
)

// Report says what a database held.
type Report struct {
	Table       string `json:"table"`        // "wal" or "events"
	Journal     string `json:"journal_mode"` // "wal", "delete"
	Rows        int64  `json:"rows"`
	Decodable   int64  `json:"decodable"`    // checksum fits and an envelope decodes
	WithMetrics int64  `json:"with_metrics"` // of those, with at least one number
	Stubs       int64  `json:"stubs"`        // of those, a flow record alone, without any metric
	Empty       int64  `json:"empty"`        // of those, neither
	Corrupt     int64  `json:"corrupt"`      // the checksum does not fit
	Undecodable int64  `json:"undecodable"`  // the checksum fits, but no envelope decodes
	Blake2b     int64  `json:"checksum_blake2b"`
	Copies      int64  `json:"checksum_copy"`
	Synthetic   int64  `json:"synthetic"` // samples that the agent marked as made up
	Samples     int64  `json:"samples"`
}

// String says it in one sentence.
func (r Report) String() string {
	return fmt.Sprintf("table %s: %d rows, %d decodable, %d with metrics, %d flow stubs, %d empty, %d corrupt, %d undecodable",
		r.Table, r.Rows, r.Decodable, r.WithMetrics, r.Stubs, r.Empty, r.Corrupt, r.Undecodable)
}

// NothingError means that a database has no usable sample.
type NothingError struct {
	Report Report
}

// Error says what was found instead.
func (e *NothingError) Error() string {
	why := "no row has a metric"
	switch {
	case e.Report.Rows == 0:
		why = "the table is empty"
	case e.Report.Stubs == e.Report.Rows:
		why = "every row is a flow record that stands for telemetry which the agent did not store"
	case e.Report.Corrupt == e.Report.Rows:
		why = "no checksum fits"
	}
	return fmt.Sprintf("nothing usable: %s (%s)", why, e.Report)
}

// ErrNoTable means that a database has neither table.
var ErrNoTable = errors.New("no table wal or events: not a telemetry database, or its -wal file was left behind when it was copied")

// maxBlob bounds one row.
const maxBlob = 16 << 20

// Read reads the database at path: the table wal, or events if there is none.
// Beside a copied database its -wal file must lie, or what was not yet
// checkpointed is missing. It returns the report also beside an error.
func Read(ctx context.Context, path string) (*table.Raw, Report, error) {
	var r Report
	info, err := os.Stat(path)
	if err != nil {
		return nil, r, err
	}
	if info.Size() == 0 {
		return nil, r, fmt.Errorf("%s: the file is empty", filepath.Base(path))
	}
	raw, err := read(ctx, path, &r)
	if err != nil {
		return nil, r, fmt.Errorf("%s: %w", filepath.Base(path), err)
	}
	return raw, r, nil
}

func read(ctx context.Context, path string, r *Report) (raw *table.Raw, err error) {
	abs, err := filepath.Abs(path)
	if err != nil {
		return nil, err
	}
	source := url.URL{Scheme: "file", Path: abs, RawQuery: "mode=ro&_pragma=busy_timeout(5000)&_pragma=query_only(1)"}
	db, err := sql.Open("sqlite", source.String())
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	db.SetMaxOpenConns(1)
	tx, err := db.BeginTx(ctx, &sql.TxOptions{ReadOnly: true})
	if err != nil {
		return nil, err
	}
	defer func() {
		if e := tx.Rollback(); e != nil && !errors.Is(e, sql.ErrTxDone) {
			err = errors.Join(err, e)
		}
	}()
	if err := tx.QueryRowContext(ctx, "PRAGMA journal_mode").Scan(&r.Journal); err != nil {
		return nil, err
	}
	if r.Table, err = findTable(ctx, tx); err != nil {
		return nil, err
	}
	rows, err := tx.QueryContext(ctx, `SELECT idem, ts_ns, bytes, checksum FROM "`+r.Table+`" ORDER BY id`)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	c := newCollector()
	for rows.Next() {
		var idem string
		var nanos int64
		var blob, sum sql.RawBytes
		if err := rows.Scan(&idem, &nanos, &blob, &sum); err != nil {
			return nil, fmt.Errorf("row %d: %w", r.Rows+1, err)
		}
		r.Rows++
		c.row(r, idem, nanos, blob, sum)
	}
	if err := rows.Err(); err != nil { // a corrupt page comes after good rows
		return nil, fmt.Errorf("after %d rows: %w", r.Rows, err)
	}
	raw = c.table()
	raw.Rows = r.Rows
	r.Samples = int64(len(raw.Samples))
	for _, s := range raw.Samples {
		if s.Simulated {
			r.Synthetic++
		}
	}
	if len(raw.Samples) == 0 {
		return nil, &NothingError{*r}
	}
	return raw, nil
}

// findTable returns wal, or events if that is the one with rows or there is no
// wal.
func findTable(ctx context.Context, tx *sql.Tx) (string, error) {
	rows, err := tx.QueryContext(ctx, `SELECT name FROM sqlite_master WHERE type = 'table' AND name IN ('wal', 'events')`)
	if err != nil {
		return "", err
	}
	var names []string
	for rows.Next() {
		var n string
		if err := rows.Scan(&n); err != nil {
			return "", errors.Join(err, rows.Close())
		}
		names = append(names, n)
	}
	if err := errors.Join(rows.Err(), rows.Close()); err != nil {
		return "", err
	}
	slices.SortFunc(names, func(a, b string) int { return strings.Compare(b, a) }) // wal first
	for _, n := range names {
		var some int
		err := tx.QueryRowContext(ctx, `SELECT 1 FROM "`+n+`" LIMIT 1`).Scan(&some)
		if err == nil {
			return n, nil
		}
		if !errors.Is(err, sql.ErrNoRows) {
			return "", err
		}
	}
	if len(names) > 0 {
		return names[0], nil
	}
	return "", ErrNoTable
}

// fits reports whether sum is the BLAKE2b-256 of blob, or, as older agents
// have it, blob itself.
func fits(r *Report, blob, sum []byte) bool {
	switch digest := blake2b.Sum256(blob); {
	case bytes.Equal(sum, digest[:]):
		r.Blake2b++
	case bytes.Equal(sum, blob):
		r.Copies++
	default:
		return false
	}
	return true
}

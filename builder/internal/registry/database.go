package registry

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"strings"

	_ "github.com/jackc/pgx/v5/stdlib" // the driver "pgx"
	_ "modernc.org/sqlite"             // the driver "sqlite"
)

// database is SQLite or PostgreSQL. Statements are written once, with $1 for
// parameters, which both understand; what differs is here.
type database struct {
	write, read *sql.DB
	postgres    bool
}

// schema is the tables, one step per released version: steps are added, never
// changed. Times are milliseconds since 1970, 0 for none. Portable types only:
// text and bigint.
var schema = []string{`
create table bundles (
	sha256 text not null primary key,
	name text not null,
	version text not null,
	size bigint not null,
	manifest text not null,
	signer text not null,
	published_at bigint not null,
	published_by text not null,
	yanked_at bigint not null,
	yank_reason text not null,
	unique (name, version)
);
create table channels (
	name text not null,
	version bigint not null,
	expires bigint not null,
	document text not null,
	at bigint not null,
	by_actor text not null,
	primary key (name, version)
);
create table data (
	name text not null primary key,
	sha256 text not null,
	size bigint not null,
	at bigint not null,
	by_actor text not null
);
create table jobs (
	id text not null primary key,
	state text not null,
	recipe text not null,
	spec text not null,
	progress bigint not null,
	stage text not null,
	attempt bigint not null,
	owner text not null,
	lease_until bigint not null,
	cancel bigint not null,
	error text not null,
	result text not null,
	bundle text not null,
	created_at bigint not null,
	created_by text not null,
	started_at bigint not null,
	finished_at bigint not null
);
create index jobs_queue on jobs (state, lease_until, id);
create table tokens (
	id text not null primary key,
	hash text not null unique,
	name text not null,
	role text not null,
	created_at bigint not null,
	expires_at bigint not null,
	revoked_at bigint not null
);
create table audit (
	id text not null primary key,
	at bigint not null,
	actor text not null,
	action text not null,
	subject text not null,
	outcome text not null
)`}

// openDatabase opens address: a PostgreSQL URL or a file of SQLite.
func openDatabase(ctx context.Context, address string) (*database, error) {
	d := &database{postgres: strings.HasPrefix(address, "postgres://") || strings.HasPrefix(address, "postgresql://")}
	var err error
	if d.postgres {
		if d.write, err = sql.Open("pgx", address); err != nil {
			return nil, wrap("database", hidePassword(err))
		}
		d.write.SetMaxOpenConns(16)
		d.read = d.write
	} else {
		// A writer takes the lock when it begins: one that reads first and
		// then writes could not be made to wait. A commit is on disk before it
		// returns (synchronous=full), as a publisher expects.
		dsn := func(mode string) string {
			return "file:" + (&url.URL{Path: address}).EscapedPath() + "?_pragma=busy_timeout(10000)&_pragma=journal_mode(wal)&_pragma=synchronous(full)&_pragma=foreign_keys(on)" + mode
		}
		if d.write, err = sql.Open("sqlite", dsn("&_txlock=immediate")); err == nil {
			d.write.SetMaxOpenConns(1)
			d.read, err = sql.Open("sqlite", dsn("&_pragma=query_only(on)"))
		}
		if err != nil {
			return nil, wrap("database", err)
		}
		d.read.SetMaxOpenConns(4)
	}
	if err := d.migrate(ctx); err != nil {
		return nil, errors.Join(err, d.close())
	}
	return d, nil
}

// hidePassword keeps addresses, which may hold one, out of errors.
func hidePassword(error) error { return errors.New("the address does not parse") }

func (d *database) close() error {
	err := d.write.Close()
	if d.read != d.write && d.read != nil {
		err = errors.Join(err, d.read.Close())
	}
	return err
}

// migrate brings the tables to the newest version, in one transaction: two
// processes that start together do it once.
func (d *database) migrate(ctx context.Context) error {
	if _, err := d.write.ExecContext(ctx, "create table if not exists schema_version (version bigint not null primary key)"); err != nil && !isUnique(err) {
		return wrap("database", err)
	}
	return d.tx(ctx, func(tx *sql.Tx) error {
		if d.postgres {
			if _, err := tx.ExecContext(ctx, "lock table schema_version in exclusive mode"); err != nil {
				return err
			}
		}
		var have int
		if err := tx.QueryRowContext(ctx, "select coalesce(max(version), 0) from schema_version").Scan(&have); err != nil {
			return err
		}
		if have > len(schema) {
			return failf(Conflict, "database: it is of version %d, this program knows %d: update the program", have, len(schema))
		}
		for i, step := range schema[have:] {
			for statement := range strings.SplitSeq(step, ";") {
				statement = strings.TrimSpace(statement)
				if !d.postgres && strings.HasPrefix(statement, "create table") {
					statement = strings.ReplaceAll(statement, " bigint", " integer") + " strict"
				}
				if _, err := tx.ExecContext(ctx, statement); err != nil {
					return fmt.Errorf("schema %d: %w", have+i+1, err)
				}
			}
			if _, err := tx.ExecContext(ctx, "insert into schema_version (version) values ($1)", have+i+1); err != nil {
				return err
			}
		}
		return nil
	})
}

// tx runs f in a transaction for writing.
func (d *database) tx(ctx context.Context, f func(*sql.Tx) error) error {
	tx, err := d.write.BeginTx(ctx, nil)
	if err != nil {
		return wrap("database", err)
	}
	if err := f(tx); err != nil {
		return wrap("database", errors.Join(err, ignoreDone(tx.Rollback())))
	}
	return wrap("database", tx.Commit())
}

// ignoreDone drops the error of ending what has ended, for example because its
// context has.
func ignoreDone(err error) error {
	if errors.Is(err, sql.ErrTxDone) {
		return nil
	}
	return err
}

// skipLocked completes a select of the next row to take: PostgreSQL passes
// over rows that another transaction is taking; SQLite has one writer.
func (d *database) skipLocked() string {
	if d.postgres {
		return " for update skip locked"
	}
	return ""
}

// forUpdate and forShare complete a select whose row must not change until the
// transaction ends: a bundle that is promoted is not yanked meanwhile.
func (d *database) forUpdate() string {
	if d.postgres {
		return " for update"
	}
	return ""
}

func (d *database) forShare() string {
	if d.postgres {
		return " for share"
	}
	return ""
}

// queryer is a transaction or a pool.
type queryer interface {
	QueryContext(context.Context, string, ...any) (*sql.Rows, error)
	QueryRowContext(context.Context, string, ...any) *sql.Row
}

// all returns every row of a query, each read by scan.
func all[T any](ctx context.Context, q queryer, scan func(func(...any) error) (T, error), query string, args ...any) (list []T, err error) {
	rows, err := q.QueryContext(ctx, query, args...)
	if err != nil {
		return nil, wrap("database", err)
	}
	defer func() { err = wrap("database", errors.Join(err, rows.Close())) }()
	list = []T{}
	for rows.Next() {
		v, err := scan(rows.Scan)
		if err != nil {
			return nil, err
		}
		list = append(list, v)
	}
	return list, rows.Err()
}

// one returns the row of a query; none is NotFound, called what.
func one[T any](ctx context.Context, q queryer, scan func(func(...any) error) (T, error), what, query string, args ...any) (T, error) {
	v, err := scan(q.QueryRowContext(ctx, query, args...).Scan)
	if errors.Is(err, sql.ErrNoRows) {
		return v, failf(NotFound, "there is no %s", what)
	}
	return v, wrap("database", err)
}

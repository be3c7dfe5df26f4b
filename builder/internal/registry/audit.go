package registry

import (
	"context"
	"database/sql"
)

// Event is a line of the audit log.
type Event struct {
	ID      string `json:"id"`
	At      string `json:"at"`
	Actor   string `json:"actor"`
	Action  string `json:"action"`
	Subject string `json:"subject"`
	Outcome string `json:"outcome"`
}

// audit adds a line in the transaction of what it tells: what happened is in
// the log, and what is in the log happened.
func (r *Registry) audit(ctx context.Context, tx *sql.Tx, a Actor, action, subject, outcome string) error {
	_, err := tx.ExecContext(ctx, "insert into audit (id, at, actor, action, subject, outcome) values ($1, $2, $3, $4, $5, $6)",
		r.newID(), r.now(), a.Name, action, subject, outcome)
	return err
}

// Events returns at most limit lines of the audit log, newest first, before
// the line of that id; "" starts with the newest.
func (r *Registry) Events(ctx context.Context, before string, limit int) ([]Event, error) {
	if before == "" {
		before = "g" // after every hex digit
	}
	return all(ctx, r.db.read, func(scan func(...any) error) (e Event, err error) {
		var at int64
		err = scan(&e.ID, &at, &e.Actor, &e.Action, &e.Subject, &e.Outcome)
		e.At = stamp(at)
		return e, err
	}, "select id, at, actor, action, subject, outcome from audit where id < $1 order by id desc limit $2", before, min(max(limit, 1), maxList))
}

// maxList bounds every list.
const maxList = 1000

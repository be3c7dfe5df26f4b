package api

import (
	"context"
	"errors"
	"fmt"
	"math"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humaecho"
	"github.com/labstack/echo/v4"
	"golang.org/x/time/rate"

	"cloister/builder/internal/publish"
	"cloister/builder/internal/registry"
)

// roleKey is where an operation says which role it asks for; without it the
// operation is open to everybody.
const roleKey = "role"

// operation returns a route that asks for a role; registry.Read is open to
// everybody if the registry may be read by everybody.
func operation(method, path, id, summary string, role registry.Role) huma.Operation {
	op := huma.Operation{
		Method: method, Path: path, OperationID: id, Summary: summary, MaxBodyBytes: maxJSON,
		Errors: []int{http.StatusTooManyRequests, http.StatusInternalServerError},
	}
	if method == http.MethodPost || method == http.MethodPut {
		op.Errors = append(op.Errors, http.StatusRequestEntityTooLarge)
	}
	if role != "" {
		op.Metadata = map[string]any{roleKey: role}
		op.Security = []map[string][]string{{"token": {}}}
		op.Description = "Role: " + string(role) + "."
		op.Errors = append(op.Errors, http.StatusUnauthorized, http.StatusForbidden)
	}
	return op
}

type actorKey struct{}

// actor returns who makes the request.
func actor(ctx context.Context) registry.Actor {
	a, _ := ctx.Value(actorKey{}).(registry.Actor)
	return a
}

// authorise lets a request pass whose token has the role of its operation.
func (a *API) authorise(ctx huma.Context, next func(huma.Context)) {
	role, asked := ctx.Operation().Metadata[roleKey].(registry.Role)
	if !asked {
		next(ctx)
		return
	}
	who := registry.Actor{}
	secret, given := strings.CutPrefix(ctx.Header("Authorization"), "Bearer ")
	switch {
	case given:
		var err error
		if who, err = a.r.Authenticate(ctx.Context(), secret); err != nil {
			ctx.SetHeader("WWW-Authenticate", `Bearer error="invalid_token"`)
			a.refuse(ctx, err)
			return
		}
	case a.o.PublicRead && role == registry.Read:
		who = registry.Actor{Name: "anybody", Role: registry.Read}
	default:
		ctx.SetHeader("WWW-Authenticate", "Bearer")
		a.refuse(ctx, &registry.Error{Kind: registry.Denied, Text: "a token is needed"})
		return
	}
	if info, ok := humaecho.Unwrap(ctx).Get("request").(*request); ok {
		info.actor = who
	}
	key := who.Name
	if !given {
		key = host(humaecho.Unwrap(ctx).Request())
	}
	if wait, ok := a.byToken.allow(key); !ok {
		ctx.SetHeader("Retry-After", seconds(wait))
		huma.WriteErr(a.huma, ctx, http.StatusTooManyRequests, "too many requests")
		return
	}
	if !who.Role.Includes(role) {
		if err := a.r.Denied(ctx.Context(), who, ctx.Operation().OperationID); err != nil {
			a.log.Error("not in the audit log", "error", err.Error())
		}
		huma.WriteErr(a.huma, ctx, http.StatusForbidden, fmt.Sprintf("role %s is needed, the token has %s", role, who.Role))
		return
	}
	next(huma.WithValue(ctx, actorKey{}, who))
}

// refuse writes an error of a middleware.
func (a *API) refuse(ctx huma.Context, err error) {
	problem := a.fail(ctx.Context(), err)
	if s, ok := problem.(huma.StatusError); ok {
		huma.WriteErr(a.huma, ctx, s.GetStatus(), s.Error())
		return
	}
	huma.WriteErr(a.huma, ctx, http.StatusInternalServerError, "")
}

// fail turns an error of the registry into a problem document. Its text is for
// whoever asked, but for failures of the machine, which are for the log.
func (a *API) fail(ctx context.Context, err error) error {
	if err == nil {
		return nil
	}
	kind := registry.KindOf(err)
	status, text := statusOf[kind], err.Error()
	var details []error
	if l, ok := errors.AsType[*publish.LintError](err); ok {
		text = fmt.Sprintf("not fit to publish, %d findings", len(l.Findings))
		for _, f := range l.Findings {
			details = append(details, &huma.ErrorDetail{Location: f.Part, Message: f.What})
		}
	}
	switch {
	case ctx.Err() != nil:
		status, text = http.StatusServiceUnavailable, "the request was given up"
	case kind == registry.Internal:
		a.log.Error("internal error", "error", err.Error())
		text = "internal error; the log of the server has the cause"
	case kind == registry.Corrupt || kind == registry.Full:
		a.log.Error("storage", "error", err.Error())
		if e, ok := errors.AsType[*registry.Error](err); ok {
			text = e.Text
		}
	}
	problem := huma.NewError(status, text, details...)
	if kind == registry.Busy {
		return huma.ErrorWithHeaders(problem, http.Header{"Retry-After": {"30"}})
	}
	return problem
}

func seconds(d time.Duration) string { return strconv.Itoa(max(1, int(math.Ceil(d.Seconds())))) }

func tooMany(c echo.Context, wait time.Duration) error {
	c.Response().Header().Set("Retry-After", seconds(wait))
	return echo.NewHTTPError(http.StatusTooManyRequests)
}

// limiters holds one rate limiter for each key seen of late.
type limiters struct {
	rate  rate.Limit
	burst int
	mu    sync.Mutex
	m     map[string]*rate.Limiter
}

// maxLimiters bounds the memory of limiters. When they are used up all start
// again, which gives everybody one burst more.
const maxLimiters = 10000

func newLimiters(r float64, burst int) *limiters {
	return &limiters{rate: rate.Limit(r), burst: burst, m: map[string]*rate.Limiter{}}
}

// allow reports whether key may go on, and else how long to wait.
func (l *limiters) allow(key string) (time.Duration, bool) {
	l.mu.Lock()
	x := l.m[key]
	if x == nil {
		if len(l.m) >= maxLimiters {
			clear(l.m)
		}
		x = rate.NewLimiter(l.rate, l.burst)
		l.m[key] = x
	}
	l.mu.Unlock()
	r := x.Reserve()
	if wait := r.Delay(); wait > 0 {
		r.Cancel()
		return wait, false
	}
	return 0, true
}

package api

import (
	"context"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"cloister/builder/internal/registry"
	"cloister/shared/sign"
)

// signed is a channel document as it was signed.
type signed struct {
	ContentType  string `header:"Content-Type"`
	CacheControl string `header:"Cache-Control"`
	Body         []byte
}

// ByName names a channel.
type ByName struct {
	Name string `path:"name" maxLength:"64"`
}

func (a *API) channels() {
	handle(a, operation(http.MethodGet, "/v1/channels", "list-channels", "The current state of every channel", registry.Read),
		func(ctx context.Context, _ *struct{}) (*list[registry.Channel], error) {
			return listOf(a.r.Channels(ctx))
		})
	op := withErrors(operation(http.MethodGet, "/v1/channels/{name}", "get-channel", "The signed document of a channel", registry.Read), http.StatusNotFound)
	op.Responses = binary("application/json", "DSSE envelope around a channel document; package shared/channel reads it")
	handle(a, op, func(ctx context.Context, in *ByName) (*signed, error) {
		c, err := a.r.Channel(ctx, in.Name)
		return &signed{"application/json", "no-cache", c.Signed}, err
	})
	op = withErrors(operation(http.MethodPut, "/v1/channels/{name}", "promote", "Make a signed document the current state; it must be of the next version", registry.Publish),
		http.StatusNotFound, http.StatusConflict, http.StatusInsufficientStorage)
	op.MaxBodyBytes, op.SkipValidateBody = sign.MaxSize, true // it is signed bytes, not our JSON
	handle(a, op, func(ctx context.Context, in *struct {
		ByName
		RawBody []byte `contentType:"application/json"`
	}) (*single[registry.Channel], error) {
		return one(a.r.Promote(ctx, actor(ctx), in.Name, in.RawBody))
	})
	handle(a, operation(http.MethodGet, "/v1/channels/{name}/history", "channel-history", "All states of a channel, newest first", registry.Read),
		func(ctx context.Context, in *ByName) (*list[registry.Channel], error) {
			return listOf(a.r.History(ctx, in.Name))
		})
}

func (a *API) tokens() {
	handle(a, operation(http.MethodGet, "/v1/tokens", "list-tokens", "All tokens, without their secrets", registry.Admin),
		func(ctx context.Context, _ *struct{}) (*list[registry.Token], error) {
			return listOf(a.r.Tokens(ctx))
		})
	op := operation(http.MethodPost, "/v1/tokens", "create-token", "Make a token; its secret is shown once", registry.Admin)
	op.DefaultStatus = http.StatusCreated
	handle(a, op, func(ctx context.Context, in *struct{ Body newToken }) (*single[createdToken], error) {
		secret, t, err := a.r.CreateToken(ctx, actor(ctx), in.Body.Name, in.Body.Role, in.Body.lifetime())
		return one(createdToken{t, secret}, err)
	})
	op = withErrors(operation(http.MethodDelete, "/v1/tokens/{id}", "revoke-token", "End a token", registry.Admin), http.StatusNotFound)
	handle(a, op, func(ctx context.Context, in *struct {
		ID string `path:"id" maxLength:"64"`
	}) (*struct{}, error) {
		return nil, a.r.RevokeToken(ctx, actor(ctx), in.ID)
	})
	handle(a, operation(http.MethodGet, "/v1/audit", "audit", "What was done, newest first", registry.Admin),
		func(ctx context.Context, in *struct {
			Before string `query:"before" maxLength:"64" doc:"id of the line to go on before"`
			Limit  int    `query:"limit" default:"100" minimum:"1" maximum:"1000"`
		}) (*list[registry.Event], error) {
			return listOf(a.r.Events(ctx, in.Before, in.Limit))
		})
}

var _ huma.StatusError = (*huma.ErrorModel)(nil) // what fail returns

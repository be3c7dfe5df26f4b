# Everything that is done to this repository, by name. `make` alone explains.

SHELL       := bash
.SHELLFLAGS := -euo pipefail -c
.ONESHELL:
.DELETE_ON_ERROR:
MAKEFLAGS   += --no-builtin-rules
.DEFAULT_GOAL := help

# Scores must be the same bits everywhere: no fused multiply-add natively.
export GOAMD64 := v1

ADDR   ?= 127.0.0.1:8080
BUDGET := 2500000# bytes of page.wasm and worker.wasm together, in brotli
EDGE_PORT ?= 8788
FUZZ   ?= 20000x# executions for each fuzz target

site   := build/site
native := CGO_ENABLED=0 go build -trimpath
wasm   := GOOS=js GOARCH=wasm go build -trimpath -ldflags='-s -w'
# Inlining makes the scorer's loops fast and everything else larger to download:
# the worker gets it where it reads and scores, the page nowhere.
loops := cloister/shared/model/... cloister/shared/explain cloister/shared/feature cloister/shared/wire cloister/shared/frame cloister/shared/score \
	cloister/shared/ingest/... cloister/shared/telemetry math/... slices cmp encoding/binary compress/... crypto/internal/fips140/sha256 \
	runtime internal/runtime/... internal/bytealg
inlined := -gcflags=all=-l $(foreach p,$(loops),-gcflags=$(p)=)
assemble := go run ./builder/internal/serve/assemble -site $(site)
# What reads zstd, Parquet and SQLite in the page: site/reader, with libraries
# from npm that its lock file pins by hash. None of their scripts is run.
libraries := build/reader/node_modules/.installed
# The test programs of these packages run in Node as well.
parity := ./shared/... ./wasm/internal/dom ./wasm/internal/jsio ./wasm/internal/unpack

.PHONY: test-services peers-sign help setup generate build run test check test-go test-wasm test-e2e bench peers fuzz size clean standalone edge edge-deploy edge-run test-edge

help: ## what there is to make
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## /{printf "  %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: ## install what is missing: Chromium and Node, PostgreSQL too, from the system's packages
	@missing=()
	command -v chromium >/dev/null || missing+=(chromium fonts-liberation fonts-dejavu-core)
	command -v node >/dev/null || missing+=(nodejs)
	command -v npm >/dev/null || missing+=(npm)
	ls /usr/lib/postgresql/*/bin/initdb >/dev/null 2>&1 || missing+=(postgresql)
	if [ $${#missing[@]} -gt 0 ]; then
		if ! command -v apt-get >/dev/null; then
			echo "setup: missing $${missing[*]}, and no apt-get here to install it" >&2; exit 1
		fi
		run=(env DEBIAN_FRONTEND=noninteractive)
		[ "$$(id -u)" = 0 ] || run=(sudo "$${run[@]}")
		echo "setup: installing $${missing[*]}"
		"$${run[@]}" apt-get update -qq
		"$${run[@]}" apt-get install -y -qq --no-install-recommends "$${missing[@]}" >/dev/null
	fi
	echo "setup: $$(chromium --version 2>/dev/null | head -1), node $$(node --version), $$(go version | cut -d' ' -f3)"
	go mod download

generate: ## write generated code anew (components, the scoring kernel, protobuf)
	@go generate ./site ./shared/model/kernel ./builder/internal/telemetry/pb

$(libraries): site/reader/package-lock.json
	@command -v npm >/dev/null || { echo "build: no npm here: make setup installs it" >&2; exit 1; }
	mkdir -p build/reader
	cp site/reader/package.json site/reader/package-lock.json build/reader/
	cd build/reader && npm ci --ignore-scripts --no-audit --no-fund --loglevel=error
	touch node_modules/.installed

$(site)/reader.js: $(libraries) $(wildcard site/reader/*)
	NODE_PATH=$(CURDIR)/build/reader/node_modules node build/reader/node_modules/esbuild/bin/esbuild site/reader/reader.js \
		--bundle --minify --format=iife --target=es2022 --legal-comments=none --banner:js="$$(cat site/reader/LICENCES)" --log-level=warning --outfile=$@

build: $(site)/reader.js ## bin/cloister and the site in build/site
	@mkdir -p bin $(site)
	$(native) -o bin/cloister ./builder
	$(wasm) -gcflags=all=-l -o $(site)/page.wasm ./wasm/page
	$(wasm) $(inlined) -o $(site)/worker.wasm ./wasm/worker
	cp -r site/static/. $(site)/
	cp wasm/internal/dom/dom.js "$$(go env GOROOT)/lib/wasm/wasm_exec.js" $(site)/
	$(assemble) -models models -default flows
	mkdir -p build/gate
	$(wasm) -o build/gate/gate.wasm ./builder/internal/publish/gate
	cp "$$(go env GOROOT)/lib/wasm/wasm_exec.js" "$$(go env GOROOT)/lib/wasm/wasm_exec_node.js" build/gate/

run: build ## build, serve on ADDR (127.0.0.1:8080) and open the page
	@( sleep 1
	for opener in xdg-open open; do
		if command -v $$opener >/dev/null && { [ -n "$${DISPLAY:-}$${WAYLAND_DISPLAY:-}" ] || [ $$opener = open ]; }; then
			$$opener "http://$(ADDR)/" >/dev/null 2>&1 || true
			break
		fi
	done ) &
	exec bin/cloister serve --addr $(ADDR) --site $(site)

test: setup build check test-go test-services test-wasm test-e2e test-edge ## everything that has to pass

check: ## formatting, vet, staticcheck for both targets, generated code current
	@bad=$$(git ls-files -co --exclude-standard '*.go' | xargs -r gofmt -l)
	[ -z "$$bad" ] || { echo "gofmt: $$bad" >&2; exit 1; }
	go mod tidy -diff
	go vet ./...
	GOOS=js GOARCH=wasm go vet ./shared/... ./site/... ./wasm/...
	static=$$(go tool -n staticcheck)
	$$static ./...
	GOOS=js GOARCH=wasm $$static ./shared/... ./site/... ./wasm/...
	old=$$(mktemp -d)
	trap 'rm -rf "$$old"' EXIT
	cp site/*_gen.go "$$old"/
	go generate ./site
	for f in "$$old"/*; do
		cmp -s "$$f" "site/$${f##*/}" || { echo "check: site/$${f##*/} was not current; it is now" >&2; exit 1; }
	done

# The browser's tests are test-e2e's; everything else is quick.
browser := ./wasm ./wasm/page ./wasm/internal/chromium ./wasm/internal/dom
test-go: $(site)/reader.js ## layers, documentation and all native tests but the browser's and the registry's
	go test $$(go list ./... | grep -vxF "$$(go list $(browser) ./wasm/edge ./builder/internal/registry/...)")

# The S3 server of the tests, a tool and no part of the module.
gateway := build/tools/versitygw
$(gateway):
	GOBIN=$(CURDIR)/build/tools go install github.com/versity/versitygw/cmd/versitygw@v1.8.0

test-services: $(gateway) ## the registry on PostgreSQL and S3, both started on loopback for it
	builder/internal/registry/testdata/services.sh $(gateway) go test -count=1 ./builder/internal/registry/...

test-wasm: ## the tests of what the browser runs, compiled to wasm, in Node
	@exec=$$(go env GOROOT)/lib/wasm/go_js_wasm_exec
	GOOS=js GOARCH=wasm go test -exec "env -i PATH=$$PATH HOME=$$HOME $$exec" $$(GOOS=js GOARCH=wasm go list -f '{{if or .TestGoFiles .XTestGoFiles}}{{.ImportPath}}{{end}}' $(parity))

# The checks of accessibility, a tool of the tests and no part of what is served.
axe := build/tools/node_modules/axe-core/axe.min.js
$(axe):
	npm install --prefix build/tools --no-save --no-audit --no-fund --loglevel=error axe-core@4.14.1

test-e2e: build $(axe) ## the sealed page, the renderer and the harness in Chromium
	go test -count=1 -timeout 20m -p 1 $(browser)

bench: ## benchmarks, short, those of telemetry in wasm too; times count on a quiet machine
	@uptime
	go test -run '^$$' -bench . -benchtime 200ms ./...
	exec=$$(go env GOROOT)/lib/wasm/go_js_wasm_exec
	GOOS=js GOARCH=wasm go test -exec "env -i PATH=$$PATH HOME=$$HOME $$exec" -run '^$$' -bench 'Telemetry|Pipeline' -benchtime 2s ./shared/telemetry ./shared/score

peers-sign: ## our signatures against OpenSSF's model_signing, in both directions
	@tool=build/peers/sign/bin/model_signing
	if [ ! -x $$tool ]; then
		python3 -m venv build/peers/sign
		build/peers/sign/bin/pip install -q --disable-pip-version-check model-signing==1.1.1 pyopenssl
	fi
	mkdir -p bin
	$(native) -o bin/cloister ./builder
	sh shared/sign/testdata/model_signing/both.sh bin/cloister $$tool models/flows/1.bundle

peers: peers-sign ## measure against scikit-learn, XGBoost and others (PEERS_SCALE=full: hours), into build/peers.json
	@go run ./builder/internal/peers

fuzz: ## every fuzz target for FUZZ executions
	@targets=$$(grep -rnH --exclude-dir=build --include='*_test.go' -oE '^func Fuzz[A-Za-z0-9_]*' . | sed -E 's|^(.*)/[^/]*:[0-9]+:func (.*)|\1 \2|' | sort -u)
	[ -n "$$targets" ] || { echo "fuzz: no targets found" >&2; exit 1; }
	while read -r dir name; do
		echo "fuzz: $$dir $$name"
		go test "$$dir" -run '^$$' -fuzz "^$$name\$$" -fuzztime=$(FUZZ)
	done <<< "$$targets"

size: build ## what a visitor downloads; fails above the budget
	@$(assemble) -budget $(BUDGET)

standalone: build ## the page as one file that works from a disk, in build/cloister.html
	bin/cloister standalone --bundle models/flows/1.bundle --out build/cloister.html

edge: build ## the folder that is deployed to Cloudflare Workers, in build/edge
	go run github.com/syumai/workers/cmd/workers-assets-gen -mode=go -o build/edge/worker
	$(wasm) -o build/edge/worker/app.wasm ./wasm/edge
	go run ./wasm/edge/assemble -site $(site) -out build/edge
	cmp -s build/edge/package-lock.json build/edge/node_modules/.installed ||
		( cd build/edge && npm ci --no-audit --no-fund --loglevel=error && cp package-lock.json node_modules/.installed )

edge-deploy: edge ## deploy that folder (EDGE_ENV=staging for the other one)
	cd build/edge && node node_modules/wrangler/bin/wrangler.js deploy $(if $(EDGE_ENV),--env $(EDGE_ENV))

edge-run: edge ## serve that folder in workerd on EDGE_PORT (8788)
	cd build/edge && WRANGLER_SEND_METRICS=false node node_modules/wrangler/bin/wrangler.js dev --local --ip 127.0.0.1 --port $(EDGE_PORT) --inspector-port 0

test-edge: edge ## the edge deployment in workerd
	go test -count=1 -timeout 10m ./wasm/edge

clean: ## remove what was built
	rm -rf bin build

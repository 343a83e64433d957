# `make` alone lists the targets. Everything that is installed lands in .cache/ of this folder, apart from Debian packages.
SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

BINARY    := bin/triton-gateway
INSTALL   := scripts/install
VERSION   := $(shell git describe --tags --always --dirty 2>/dev/null || echo unknown)
COMMIT    := $(shell git rev-parse --short=12 HEAD 2>/dev/null || echo unknown)
LDFLAGS   := -X main.version=$(VERSION) -X main.commit=$(COMMIT)
# nomsgpack leaves out a codec of Gin that nothing here uses: 6 MB less of the program.
TAGS      := gocv_specific_modules,nomsgpack
TEST_TAGS := $(TAGS),matprofile
# How long one package's tests may take before they are stopped with a stack trace.
TEST_TIMEOUT ?= 15m
FUZZ_TIME    ?= 30s
# What to run: make test PACKAGES=./preprocess/...
PACKAGES     ?= ./...
# Arguments of `make run`: make run ARGS="--triton localhost:8001"
ARGS         ?=
MODELS       ?=
UI           ?= e2e/ui
# Of make test-api: for how long, where it is not so many questions and the same each time, and which random numbers.
API_SECONDS  ?= 0
API_SEED     ?= 1
DASHBOARD_PORT ?= 8501

.PHONY: help
help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: run
run: build ## install what is missing, build, and serve the demo models at http://localhost:8080
	exec ./$(BINARY) serve $(if $(findstring --config,$(ARGS)),,--config demo.yaml) $(ARGS)

.PHONY: dashboard
dashboard: dashboard-venv ## start the Streamlit dashboard at http://localhost:8501; GATEWAY_URL (http://localhost:8080) and GATEWAY_TOKEN say whom it asks
	cd dashboard && exec env PYTHONDONTWRITEBYTECODE=1 ../.cache/dashboard/bin/streamlit run app.py --server.port $(DASHBOARD_PORT)

.PHONY: build
build: deps ## install what the build needs, and build bin/triton-gateway
	go build -tags $(TAGS) -ldflags '$(LDFLAGS)' -o $(BINARY) .
	install -C -m 644 .cache/onnxruntime/libonnxruntime.so bin/libonnxruntime.so

.PHONY: test
test: build parts lint audit lint-deploy test-training test-ui test-dashboard test-api ## install what the tests need, and run all of them: with a real Triton, Redis and Chromium
	@echo '==> tests without cgo, OpenCV and real parts'
	CGO_ENABLED=0 TRITON_GATEWAY_PARTS=off go test -count=1 -timeout $(TEST_TIMEOUT) $(PACKAGES)
	@echo '==> all tests, with the race detector and real parts'
	TRITON_GATEWAY_REQUIRE_PARTS=1 go test -race -count=1 -timeout $(TEST_TIMEOUT) -tags $(TEST_TAGS) $(PACKAGES)

.PHONY: test-training
test-training: train-venv ## test the scripts that train the demo models
	@echo '==> tests of the training scripts'
	.cache/train/bin/python -m unittest discover -s training

.PHONY: test-ui
test-ui: build parts ## test the page in Chromium, with a real gateway and a real Triton (UI=e2e/ui/test_jobs.py for some)
	@echo '==> tests of the page in Chromium'
	TRITON_GATEWAY_REQUIRE_PARTS=1 .cache/ui/bin/python -B -m pytest $(UI)

.PHONY: test-api
test-api: build ## ask the built gateway what its OpenAPI document says, right and wrong, and hold every answer to it (API_SECONDS=600 for longer)
	@echo '==> Schemathesis'
	@$(INSTALL)/venv.sh api requirements/api.txt
	scripts/schemathesis $(API_SECONDS) $(API_SEED)

.PHONY: test-dashboard
test-dashboard: build parts dashboard-venv ## test the dashboard: its functions, every page, and the running app in Chromium
	@echo '==> tests of the dashboard'
	TRITON_GATEWAY_REQUIRE_PARTS=1 .cache/dashboard/bin/python -B -m pytest dashboard/tests

.PHONY: lint
lint: deps ## go vet and gofmt
	@echo '==> gofmt, go vet'
	@unformatted=$$(find . -path ./.cache -prune -o -name '*.go' -print0 | xargs -0 -r gofmt -l); \
	  if [ -n "$$unformatted" ]; then echo "run gofmt -w on:"; echo "$$unformatted"; exit 1; fi
	CGO_ENABLED=0 go vet ./...
	go vet -tags $(TAGS) ./...

.PHONY: lint-deploy
lint-deploy: build parts ## hold compose.yaml, the Dockerfiles and the proxy's settings to their rules, as far as that goes without a container engine
	@echo '==> compose.yaml, Dockerfiles, proxy'
	.cache/deploy/bin/hadolint Dockerfile dashboard/Dockerfile
	cd deploy/check && go vet ./... && TRITON_GATEWAY_REQUIRE_PARTS=1 go test -count=1 -timeout $(TEST_TIMEOUT) ./...
	$(MAKE) --no-print-directory sbom

# The packages of the image: those that the Dockerfile installs in its stage runtime. Empty: all that are installed.
SBOM_PACKAGES ?= $(shell sed -n '/ AS runtime$$/,/^ && rm /s/^      \([a-z0-9.+-]*\) .*/\1/p' Dockerfile | paste -sd,)
SBOM_STATUS   ?= /var/lib/dpkg/status

.PHONY: sbom
sbom: ## write bin/triton-gateway.cdx.json: what is inside of the program and its image, as CycloneDX (after make build)
	cd deploy/check && go run ./sbom -binary $(CURDIR)/$(BINARY) -library $(CURDIR)/bin/libonnxruntime.so -library-version $(shell sed -n 's/^version=//p' $(INSTALL)/onnxruntime.sh) \
	  -status $(abspath $(SBOM_STATUS)) -packages '$(SBOM_PACKAGES)' -version '$(VERSION)' -out $(CURDIR)/$(BINARY).cdx.json

.PHONY: audit
audit: ## check the licences and checksums of all Go modules, and ask the Go vulnerability database about them where it can be reached
	@echo '==> licences, checksums, known vulnerabilities'
	cd deploy/check && go run ./licences $(TAGS)
	scripts/vulncheck $(TAGS)

.PHONY: replay
replay: deps ## run the build of the Dockerfile in a clean clone of the last commit that holds only what .dockerignore lets through
	rm -rf .cache/replay .cache/replay-clone && mkdir -p .cache/replay/.cache
	git clone --quiet --depth 1 'file://$(CURDIR)' .cache/replay-clone
	cd deploy/check && go run ./context -from ../../.cache/replay-clone -to ../../.cache/replay
	cp -r .cache/onnxruntime .cache/replay/.cache/
	$(MAKE) -C .cache/replay build VERSION=replay COMMIT=replay
	$(MAKE) -C .cache/replay sbom SBOM_PACKAGES=
	cd .cache/replay && ./bin/triton-gateway version
	cd deploy/check && TRITON_GATEWAY_BIN=$(CURDIR)/.cache/replay/bin/triton-gateway go test -count=1 -run TestTheImage .
	rm -rf .cache/replay .cache/replay-clone

.PHONY: fuzz
fuzz: deps ## run each fuzz test for FUZZ_TIME (30s)
	scripts/fuzz.sh $(FUZZ_TIME) $(TAGS) $(PACKAGES)

.PHONY: bench
bench: build parts ## run the benchmarks side by side with a FastAPI service and the limits, and print a table
	bench/run.sh

.PHONY: bench-kserve
bench-kserve: build parts ## measure what the gateway adds to KServe v2 calls, and what it does with more than its Triton can answer
	go test -count=1 -v -timeout 30m -run 'TestAddedTime|TestRates' ./bench/kserve -args -full
	go test -count=1 -v -timeout 30m -run TestFigures ./bench/overload -args -full

.PHONY: bench-jobs
bench-jobs: build parts ## measure the jobs: beside asynq on one Redis, by one to four workers, and on SQLite at 200 a second and with a million jobs
	go test -count=1 -v -timeout 30m -run 'TestEnqueueAtARate|TestBesideAsynq|TestWorkers' ./bench/jobs -args -full
	JOBS=1000000 go test -timeout 30m -run XXX -bench 'Store/(Get|Paced)' -benchtime 30s ./gateway/jobs/sqlite

# Which part to break: make chaos CHAOS=redis, which prints the table and does not write it.
CHAOS ?=

.PHONY: chaos
chaos: build parts ## break Triton, Redis, disk, DNS and clock in four ways each under load, and write the table in docs/chaos.md (CHAOS=redis for some)
	go test -count=1 -v -timeout 60m -run TestTable ./bench/chaos -args -full $(if $(CHAOS),-only '$(CHAOS)')

# For how long.
SOAK ?= 30m

.PHONY: soak
soak: build parts ## run a gateway with all features on at 70 % of what the machine carries, and look whether anything grows (SOAK=5m for less)
	go test -count=1 -v -timeout 12h -run TestSoak ./bench/soak -args -for $(SOAK)

.PHONY: models
models: train-venv ## train the demo models anew, by the scripts in training/ (MODELS="iris shapes:2" for some)
	.cache/train/bin/python training/train.py $(MODELS)

.PHONY: goldens
goldens: train-venv ## make the tests' expected values anew, by Pillow, OpenCV and scikit-learn
	$(INSTALL)/venv.sh goldens requirements/goldens.txt
	.cache/goldens/bin/python scripts/goldens/make.py
	.cache/train/bin/python training/train.py --golden

.PHONY: screenshots
screenshots: build parts ## take the pictures of the page that the README shows: docs/page*.png
	.cache/ui/bin/python -B scripts/screenshots/page.py

.PHONY: panels
panels: build parts ## draw docs/grafana.png: what the Grafana dashboard shows of some minutes of traffic
	$(INSTALL)/venv.sh panels requirements/panels.txt
	go test -count=1 -v -timeout 30m -run TestPicture ./e2e/monitoring -args -picture

.PHONY: train-venv
train-venv:
	@$(INSTALL)/venv.sh train training/requirements.txt

.PHONY: dashboard-venv
dashboard-venv:
	@$(INSTALL)/venv.sh dashboard requirements/dashboard.txt

.PHONY: dashboard-screens
dashboard-screens: build parts dashboard-venv ## make the pictures of the dashboard in docs/ anew, from the running app
	.cache/dashboard/bin/python -B scripts/dashboard-screens.py

.PHONY: deps
deps: ## install what the build needs: OpenCV's headers, ONNX Runtime
	@$(INSTALL)/packages.sh build
	@$(INSTALL)/onnxruntime.sh

.PHONY: parts
parts: ## install what the tests need: Triton and its clients, Redis, Chromium and Playwright, nginx, moto, Prometheus
	@$(INSTALL)/packages.sh test
	@$(INSTALL)/venv.sh triton requirements/triton.txt
	@$(INSTALL)/venv.sh tritonclient requirements/tritonclient.txt
	@$(INSTALL)/venv.sh moto requirements/moto.txt
	@$(INSTALL)/venv.sh ui requirements/ui.txt
	@$(INSTALL)/nginx.sh
	@$(INSTALL)/haproxy.sh
	@$(INSTALL)/venv.sh deploy requirements/deploy.txt
	@$(INSTALL)/prometheus.sh

.PHONY: clean
clean: ## remove what was built; .cache/ stays (rm -rf .cache removes that too)
	rm -rf bin bench/results
	go clean -testcache

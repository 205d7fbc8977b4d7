# lapsed: `make demo` shows in two minutes what it is for; `make test` sets up what the tests need and
# runs them all.

CARGO ?= cargo

.PHONY: assets bench demo fuzz test torture servers lint

test: servers lint
	@rm -rf target/torture
	@if $(CARGO) nextest --version >/dev/null 2>&1; then \
		$(CARGO) nextest run --workspace --locked; \
	else \
		echo 'cargo-nextest is not installed (cargo install cargo-nextest --locked): cargo test runs instead'; \
		$(CARGO) test --workspace --locked; \
	fi
	@$(CARGO) run --quiet --locked -p lapsed-tests --bin torture-report 60

# Everything that breaks things, in its long form: about an hour on a small machine. Its figures are
# in target/torture/report.json; `lost`, `doubled` and `wrong` have to be 0. FUZZ is the seconds for each reader.
FUZZ ?= 180
torture: servers
	@rm -rf target/torture
	@$(CARGO) build --locked -p lapsed --bin lapsed
	@LAPSED_TORTURE=long $(CARGO) nextest run --workspace --locked --profile torture; ended=$$?; \
		fuzz/run $(FUZZ) || ended=1; \
		$(CARGO) run --quiet --locked -p lapsed-tests --bin torture-report 2000 && exit $$ended

# What lapsed costs beside what an administrator would use instead: make bench PARTS="leavers directory"
# measures some of it, LAPSED_BENCH=short sees in two minutes that all of it works. The table is also in
# target/bench/report.json.
PARTS ?=
bench:
	@sh tests/install-servers bench
	@$(CARGO) build --release --locked -p lapsed -p lapsed-tests --bin lapsed --bin bench
	@$(CARGO) run --quiet --release --locked -p lapsed-tests --bin bench -- $(PARTS)

# A sample agency on a real OpenLDAP, and what lapsed does with HR's files. DEMO_FAST=1 leaves the pauses out.
demo:
	@sh tests/install-servers demo
	@$(CARGO) build --locked -p lapsed -p lapsed-tests --bin lapsed --bin demo
	@$(CARGO) run --quiet --locked -p lapsed-tests --bin demo

# Installs the real servers that the tests start on loopback; does nothing when they are there.
servers:
	@sh tests/install-servers

lint:
	$(CARGO) fmt --all --check
	$(CARGO) clippy --workspace --all-targets --locked -- -D warnings
	@if $(CARGO) deny --version >/dev/null 2>&1; then \
		$(CARGO) deny --offline check --hide-inclusion-graph licenses bans sources; \
	else \
		echo 'cargo-deny is not installed: the laws of the tests check licences and bans alone'; \
	fi

# Known flaws of what we build on, by the RustSec database; needs cargo-deny and a network.
.PHONY: advisories
advisories:
	$(CARGO) deny check --hide-inclusion-graph advisories

# Tries every reader with made-up inputs, so many seconds each: make fuzz SECONDS=300 READERS="ldap scim"
SECONDS ?= 60
fuzz:
	@fuzz/run $(SECONDS) $(READERS)

# What a package needs beside the binary: man pages and shell completions, printed by the binary itself.
PROFILE ?= release
ASSETS ?= target/assets

assets:
	@mkdir -p $(ASSETS)/man $(ASSETS)/completions
	$(CARGO) run --profile $(PROFILE) --locked -p lapsed -- man --folder $(ASSETS)/man
	@for shell in bash zsh fish; do \
		$(CARGO) run --quiet --profile $(PROFILE) --locked -p lapsed -- completions $$shell \
			> $(ASSETS)/completions/lapsed.$$shell || exit 1; \
	done

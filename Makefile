# Everything a person or a machine does with Signalbox.
SHELL := /bin/bash
CARGO_SELECTION := --workspace --features signalbox/custom-protocol --locked
PRACTICE := SIGNALBOX_HOME=$(CURDIR)/.practice SIGNALBOX_SECRETS=vault SIGNALBOX_VAULT_PASSPHRASE_FILE=$(CURDIR)/.practice/passphrase
TARGET := $(or $(CARGO_TARGET_DIR),target)

.PHONY: help run serve test bench packages window practice-home

help: ## what can be done here
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

run: packages window practice-home ## build and open the application on a practice workspace
	cargo build $(CARGO_SELECTION) --bin signalbox
	$(PRACTICE) $(TARGET)/debug/signalbox --practice

serve: packages window practice-home ## the same without a window: engine and page in your browser
	cargo build $(CARGO_SELECTION) --bin signalctl
	$(PRACTICE) $(TARGET)/debug/signalctl serve --practice --ui ui/dist

test: ## everything a change must pass
	@.ci/packages test
	@.ci/test

bench: ## how fast what we ship is, with the limit beside each figure
	cargo build --profile dist --locked -p signalbox-cli -p signalbox-tests --bins --bench relay
	cargo bench --profile dist --locked -p signalbox-tests --bench relay
	cargo bench --profile dist --locked -p signalbox-tests --bench relay -- log

packages: ## install what this computer lacks (Debian and Ubuntu; says what it does)
	@.ci/packages

window: ## build the window
	cd ui && npm ci --ignore-scripts --no-audit --no-fund && npm run build

practice-home:
	@mkdir -p -m 700 .practice && test -s .practice/passphrase || (umask 077; head -c 24 /dev/urandom | base64 > .practice/passphrase)

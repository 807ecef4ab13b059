# The two commands of the README are `make demo` and `make test`; each installs what it needs first.
RELEASE = -c release -Xswiftc -enforce-exclusivity=unchecked --static-swift-stdlib --product gbgate
BINARY = $$(swift build $(RELEASE) --show-bin-path)/gbgate

.PHONY: demo test build lint fuzz screenshots

demo: build
	@exec "$(BINARY)" demo

build:
	@scripts/setup.sh build
	@swift build $(RELEASE)

# What keeps real time: sockets, players and gateways. Beside tests that compute it would starve on two cores.
REALTIME = ^(CameraSimulatorTests|EndToEndTests|GatewayTests|TransportTests)\.

test:
	@scripts/setup.sh test
	@swift build --build-tests --explicit-target-dependency-import-check error
	@# A few at a time: all at once they starve one another, and meet the time limits of tests that only wait.
	@SWT_EXPERIMENTAL_MAXIMUM_PARALLELIZATION_WIDTH=3 swift test --skip-build --skip '$(REALTIME)'
	@SWT_EXPERIMENTAL_MAXIMUM_PARALLELIZATION_WIDTH=6 swift test --skip-build --filter '$(REALTIME)'

lint:
	@swift format lint --strict --recursive Sources Tests Package.swift

# Each parser's fuzzer for SECONDS (20): make fuzz SECONDS=600
SECONDS ?= 20
fuzz:
	@scripts/fuzz.sh $(SECONDS)

# The pictures of the documentation, taken by the test that looks at every view of the console.
screenshots:
	@scripts/setup.sh test
	@swift build --build-tests --explicit-target-dependency-import-check error
	@GBGATE_SCREENSHOTS="$(CURDIR)/docs/images" swift test --skip-build --filter ScreenshotTests

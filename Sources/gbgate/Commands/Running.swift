internal import ArgumentParser
internal import Gateway
internal import GatewayAPI
internal import Glibc
internal import Logging
internal import NIOCore
internal import NIOPosix
internal import ServiceLifecycle
internal import UnixSignals

/// Which configuration a command works with.
struct ConfigurationOptions: ParsableArguments {
    @Option(
        name: [.customShort("c"), .long],
        help: "The configuration file; without it the usual places are searched."
    )
    var config: String?

    /// Loads it and prints nothing: problems are for the log or for `check`.
    func load() throws -> LoadedConfiguration {
        let environment = Environment.all
        let file = config ?? environment["GBGATE_CONFIG"] ?? GatewayConfiguration.locate()
        return try GatewayConfiguration.load(file: file, environment: environment)
    }
}

enum Environment {
    static var all: [String: String] {
        var all: [String: String] = [:]
        var entry = environ
        while let text = entry.pointee {
            let parts = String(cString: text).split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            if parts.count == 2 { all[String(parts[0])] = String(parts[1]) }
            entry += 1
        }
        return all
    }
}

/// A gateway with its API, in one process, until SIGINT or SIGTERM.
struct Running {
    let gateway: Gateway
    let group: MultiThreadedEventLoopGroup
    let logger: Logger
    private let output: LogOutput
    private let api: APIServer?

    /// Opens everything but the API, which opens when ``run(with:)`` runs it.
    static func start(
        _ loaded: LoadedConfiguration,
        devices: [ProvisionedDevice]? = nil,
        onAPI: @escaping @Sendable (Int) async -> Void = { _ in }
    ) async throws -> Running {
        raiseDescriptorLimit()
        let configuration = loaded.configuration
        let output = LogOutput(section: configuration.log)
        let logger = output.logger(label: "gbgate")
        for problem in loaded.problems {
            logger.log(level: problem.severity == .warning ? .warning : .notice, "configuration: \(problem)")
        }
        var provisioned = devices ?? []
        if devices == nil {
            let (found, problems) = ProvisionedDevice.load(folder: configuration.gb28181.devicesDir)
            for problem in problems { logger.warning("devices: \(problem)") }
            provisioned = found
        }
        let group = MultiThreadedEventLoopGroup(numberOfThreads: max(System.coreCount, 1))
        do {
            let gateway = try await Gateway.start(
                configuration,
                devices: provisioned,
                group: group,
                logger: logger,
                logLevel: output.level
            )
            var api: APIServer?
            if configuration.httpApi.enable {
                api = try APIServer(
                    configuration: configuration.httpApi,
                    control: gateway,
                    group: group,
                    logger: logger
                ) {
                    await onAPI($0.port ?? 0)
                }
            }
            return Running(gateway: gateway, group: group, logger: logger, output: output, api: api)
        } catch {
            logger.critical("gbgate does not start: \(error)")
            output.flush()
            try? await group.shutdownGracefully()
            throw error
        }
    }

    /// Serves, with further services beside it, until a signal ends all in the reverse order.
    func run(with others: [any Service] = []) async throws {
        var services: [any Service] = [gateway]
        if let api { services.append(api) }
        // At debug level a group prints its services, and with them every member of theirs.
        var quiet = logger
        quiet.logLevel = .notice
        let all = ServiceGroup(
            configuration: .init(
                services: (services + others).map { .init(service: $0) },
                gracefulShutdownSignals: [.sigterm, .sigint],
                logger: quiet
            )
        )
        do {
            try await all.run()
        } catch {
            logger.critical("gbgate ends: \(error)")
            output.flush()
            throw error
        }
        output.flush()
        try await group.shutdownGracefully()
    }

    /// A descriptor for each camera and viewer: what the system allows.
    private static func raiseDescriptorLimit() {
        var limit = rlimit()
        guard getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0 else { return }
        limit.rlim_cur = limit.rlim_max
        setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
    }
}

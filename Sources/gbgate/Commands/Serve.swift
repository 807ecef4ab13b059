internal import ArgumentParser
internal import Gateway

struct Serve: AsyncParsableCommand {
    static let configuration = CommandConfiguration(abstract: "Runs the gateway (the default).")

    @OptionGroup var options: ConfigurationOptions

    func run() async throws {
        let loaded = try options.load()
        let running = try await Running.start(loaded)
        try await running.run()
    }
}

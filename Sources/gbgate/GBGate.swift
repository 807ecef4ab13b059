internal import ArgumentParser
internal import Gateway

@main
struct GBGate: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "gbgate",
        abstract: "A GB/T 28181 video gateway: cameras in over SIP and PS, pictures out over RTMP and FLV.",
        version: Gateway.version,
        subcommands: [Serve.self, Demo.self, Check.self, Simulate.self, Inspect.self],
        defaultSubcommand: Serve.self
    )
}

package import Logging

/// Turns swift-log's events into lines of a ``LogOutput``.
package struct GatewayLogHandler: LogHandler {
    /// What this logger leaves out besides.
    private var ownLevel = Logger.Level.trace
    package var metadata: Logger.Metadata = [:]
    package var metadataProvider: Logger.MetadataProvider?
    private let label: String
    private let output: LogOutput

    init(label: String, output: LogOutput) {
        self.label = label
        self.output = output
    }

    /// Never below the level of the process.
    package var logLevel: Logger.Level {
        get { max(ownLevel, output.level.current ?? .critical) }
        set { ownLevel = newValue }
    }

    package subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { metadata[key] }
        set { metadata[key] = newValue }
    }

    package func log(event: LogEvent) {
        guard output.level.current != nil else { return }
        var all = metadata
        if let provided = metadataProvider?.get() { all.merge(provided) { _, new in new } }
        if let own = event.metadata { all.merge(own) { _, new in new } }
        if let error = event.error { all["error"] = "\(error)" }
        let sorted = all.sorted { $0.key < $1.key }.map { (key: $0.key, value: "\($0.value)") }
        let file = event.file.split(separator: "/").last.map(String.init) ?? event.file
        output.write(
            output.line.text(
                time: output.now(),
                level: event.level,
                label: label,
                message: "\(event.message)",
                metadata: sorted,
                place: "\(file):\(event.line)"
            )
        )
    }
}

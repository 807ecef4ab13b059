package import Logging

/// Turns swift-log's events into lines of a ``LogOutput``.
package struct GatewayLogHandler: LogHandler {
    package var logLevel: Logger.Level = .info
    package var metadata: Logger.Metadata = [:]
    package var metadataProvider: Logger.MetadataProvider?
    private let label: String
    private let output: LogOutput

    init(label: String, output: LogOutput) {
        self.label = label
        self.output = output
    }

    package subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { metadata[key] }
        set { metadata[key] = newValue }
    }

    package func log(event: LogEvent) {
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

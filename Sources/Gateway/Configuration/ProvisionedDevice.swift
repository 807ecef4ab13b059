internal import FoundationEssentials
internal import GB28181

/// A device that the operator announces before it registers: its own password, and what it needs different.
package struct ProvisionedDevice: Codable, Hashable, Sendable {
    /// 20 digits; required.
    package var id = ""
    /// Shown in place of the name that the device gives itself.
    package var name = ""
    /// In place of `gb28181.password`; empty = that one.
    package var password = Secret("")
    /// In place of `gb28181.media_ip`.
    package var mediaIp = ""
    /// How its media comes when the caller does not say: `udp`, `tcp_passive`, `tcp_active`; empty = udp.
    package var transport = ""
    /// The charset of its XML when it lies about it: `utf-8` or `gb18030`; empty = detected.
    package var charset = ""
    /// The attribute that asks it for a sub stream: `streamnumber`, `streamprofile`, `streamMode` or `stream`; empty = by its version of
    /// the standard and its manufacturer.
    package var streamSelection = ""

    package init() {}

    private static let transports = ["", "udp", "tcp_passive", "tcp_active"]
    private static let charsets = ["", "utf-8", "gb18030"]

    /// Reads `*.json` of a folder (not of folders below it). A file holds one device or a list of them; one that is
    /// wrong is left out and named in the problems, the others count.
    package static func load(folder: String) -> (devices: [ProvisionedDevice], problems: [ConfigurationProblem]) {
        let names = (try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? []
        var devices: [String: ProvisionedDevice] = [:]
        var problems: [ConfigurationProblem] = []
        for name in names.sorted() where name.hasSuffix(".json") {
            let file = folder.hasSuffix("/") ? folder + name : "\(folder)/\(name)"
            do {
                let bytes = FileManager.default.contents(atPath: file) ?? Data()
                for device in try read(bytes, file: file, problems: &problems) {
                    if devices.updateValue(device, forKey: device.id) != nil {
                        problems.append(.warning(file, "device \(device.id) is provisioned twice; this one counts"))
                    }
                }
            } catch let error as ConfigurationError {
                problems += error.problems
            } catch {
                problems.append(.error(file, "\(error)"))
            }
        }
        return (devices.values.sorted { $0.id < $1.id }, problems)
    }

    private static func read(
        _ bytes: Data,
        file: String,
        problems: inout [ConfigurationProblem]
    ) throws -> [ProvisionedDevice] {
        let document: JSONValue
        do {
            document = try JSONValue(parsing: bytes, json5: true)
        } catch {
            throw ConfigurationError(.error(file, "is no JSON: \(error)"))
        }
        let schema = try ConfigurationSchema(defaults: ProvisionedDevice())
        var documents = [document]
        if case .array(let list) = document { documents = list }
        return try documents.map { document in
            var overlay = ConfigurationOverlay(schema: schema)
            overlay.apply(document)
            let found = overlay.problems.map { problem in
                ConfigurationProblem(
                    severity: problem.severity,
                    path: "\(file): \(problem.path)",
                    message: problem.message
                )
            }
            let errors = found.filter { $0.severity == .error }
            guard errors.isEmpty else { throw ConfigurationError(errors) }
            problems += found
            let device = try overlay.tree.decode(ProvisionedDevice.self)
            try device.validate(file: file)
            return device
        }
    }

    private func validate(file: String) throws {
        func refuse(_ key: String, _ value: String, _ allowed: String) -> ConfigurationError {
            ConfigurationError(.error("\(file): \(key)", "\"\(value)\" is not allowed; allowed: \(allowed)"))
        }
        if id.isEmpty { throw refuse("id", id, "the device's ID, 20 digits") }
        if !Self.transports.contains(transport) { throw refuse("transport", transport, "udp, tcp_passive, tcp_active") }
        if !streamSelection.isEmpty, StreamSelection(rawValue: streamSelection) == nil {
            let names = StreamSelection.allCases.map(\.rawValue).joined(separator: ", ")
            throw refuse("stream_selection", streamSelection, names)
        }
        if !Self.charsets.contains(charset) { throw refuse("charset", charset, "utf-8, gb18030") }
        if !mediaIp.isEmpty, !IPText.isIPv4(mediaIp), !IPText.isIPv6(mediaIp) {
            throw refuse("media_ip", mediaIp, "an IP address, or empty")
        }
    }
}

package import Logging

/// How a record becomes one line.
package struct LogLine: Sendable {
    let section: LogSection

    package init(section: LogSection) {
        self.section = section
    }

    /// The line, with its line feed. What peers sent is escaped: a record is one line, whatever they put in it.
    package func text(
        time: WallTime,
        level: Logger.Level,
        label: String,
        message: String,
        metadata: [(key: String, value: String)],
        place: String
    ) -> String {
        section.isJson
            ? json(time, level, label, message, metadata, place)
            : plain(time, level, message, metadata, place)
    }

    private func stamp(_ time: WallTime) -> String {
        guard section.timestampWithMsFlag else { return time.seconds }
        let fraction = String(time.local.millisecond)
        return "\(time.seconds).\(String(repeating: "0", count: 3 - fraction.count))\(fraction)"
    }

    private func plain(
        _ time: WallTime,
        _ level: Logger.Level,
        _ message: String,
        _ metadata: [(key: String, value: String)],
        _ place: String
    ) -> String {
        var line = ""
        if section.timestampFlag { line += stamp(time) + " " }
        if section.levelFlag { line += Self.name(level) + " " }
        line += Self.escaped(message)
        for (key, value) in metadata {
            let escaped = Self.escaped(value)
            let needsQuotes = escaped.isEmpty || escaped.contains { $0 == " " || $0 == "=" || $0 == "\"" }
            line += needsQuotes ? " \(key)=\"\(escaped.replacing("\"", with: "\\\""))\"" : " \(key)=\(escaped)"
        }
        if section.shortFileFlag { line += " (\(place))" }
        return line + "\n"
    }

    private func json(
        _ time: WallTime,
        _ level: Logger.Level,
        _ label: String,
        _ message: String,
        _ metadata: [(key: String, value: String)],
        _ place: String
    ) -> String {
        var object = JSONObject()
        object["time"] = .string(stamp(time))
        object["level"] = .string(level.rawValue)
        object["label"] = .string(label)
        object["message"] = .string(message)
        for (key, value) in metadata where object[key] == nil {
            object[key] = .string(value)
        }
        if section.shortFileFlag { object["place"] = .string(place) }
        return JSONValue.object(object).text + "\n"
    }

    /// Six letters or fewer, padded, so that messages stand below each other.
    private static func name(_ level: Logger.Level) -> String {
        switch level {
        case .trace: "TRACE "
        case .debug: "DEBUG "
        case .info: "INFO  "
        case .notice: "NOTICE"
        case .warning: "WARN  "
        case .error: "ERROR "
        case .critical: "FATAL "
        }
    }

    private static func escaped(_ text: String) -> String {
        guard text.unicodeScalars.contains(where: { $0.value < 0x20 || $0.value == 0x7F }) else { return text }
        var escaped = ""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\n": escaped += "\\n"
            case "\r": escaped += "\\r"
            case "\t": escaped += "\\t"
            case _ where scalar.value < 0x20 || scalar.value == 0x7F:
                escaped += "\\x" + (scalar.value < 16 ? "0" : "") + String(scalar.value, radix: 16)
            default: escaped.unicodeScalars.append(scalar)
            }
        }
        return escaped
    }
}

extension LogSection {
    /// lal's 0 to 7 in swift-log's terms; nil is off. lal has no notice: it shows with info.
    package var loggerLevel: Logger.Level? {
        switch level {
        case ...0: .trace
        case 1: .debug
        case 2: .info
        case 3: .warning
        case 4: .error
        case 5, 6: .critical
        default: nil
        }
    }
}

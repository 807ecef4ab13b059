extension SessionDescription {
    /// The body, in the order of RFC 4566, each line with CRLF: Hikvision answers 415 when the last one lacks it (R-44).
    package func serialized() -> [UInt8] {
        var lines = SDPLines()
        lines.add("v", "0")
        let family = origin.host.utf8.contains(UInt8(ascii: ":")) ? "IP6" : "IP4"
        lines.add("o", "\(origin.user) \(origin.sessionID) \(origin.version) IN \(family) \(origin.host)")
        lines.add("s", name)
        if let information { lines.add("i", information) }
        if let uri { lines.add("u", uri) }
        lines.add(connection)
        for line in bandwidth { lines.add("b", line) }
        for time in times.isEmpty ? [Time(start: 0, end: 0)] : times { lines.add("t", "\(time.start) \(time.end)") }
        lines.add(attributes)
        for line in others { lines.add(line.type, line.value) }
        for section in media {
            let formats = section.formats.map { " " + $0 }.joined()
            lines.add("m", "\(section.kind) \(section.port) \(section.transport)\(formats)")
            if let information = section.information { lines.add("i", information) }
            lines.add(section.connection)
            for line in section.bandwidth { lines.add("b", line) }
            lines.add(section.attributes)
            for line in section.others { lines.add(line.type, line.value) }
        }
        return lines.bytes
    }
}

private struct SDPLines {
    private(set) var bytes: [UInt8] = []

    /// A value that came from elsewhere cannot smuggle in a line of its own: control characters are left out.
    mutating func add(_ type: Character, _ value: String) {
        bytes += String(type).utf8
        bytes.append(UInt8(ascii: "="))
        bytes += value.utf8.filter { $0 >= 0x20 }
        bytes += [0x0D, 0x0A]
    }

    mutating func add(_ connection: SessionDescription.Connection?) {
        guard let connection else { return }
        add("c", "IN \(connection.isIPv6 ? "IP6" : "IP4") \(connection.host)")
    }

    mutating func add(_ attributes: [SessionDescription.Attribute]) {
        for attribute in attributes {
            add("a", attribute.value.map { "\(attribute.name):\($0)" } ?? attribute.name)
        }
    }
}

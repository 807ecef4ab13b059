package import Media

/// Which stream a URL names, in any protocol: everything before the last path item is the application, the last one is the
/// stream, so that one path means one stream whatever the protocol.
package struct StreamAddress: Hashable, Sendable {
    /// Shown and sent to hooks; not part of the stream's identity.
    package var app: String
    package var stream: String
    /// What follows the first `?`, without it; empty when there is none.
    package var query: String

    /// Why a name cannot be a stream's.
    package enum Fault: Error, Hashable, Sendable {
        case empty
        case tooLong
        /// A control character, a backslash, or `..`: names become file names and log lines.
        case forbidden

        package var explanation: String {
            switch self {
            case .empty: "the URL names no stream: it must be /app/stream"
            case .tooLong: "the stream name is longer than \(StreamAddress.maximumLength) bytes"
            case .forbidden: "the stream name holds a control character, a backslash or \"..\""
            }
        }
    }

    package static let maximumLength = 200

    /// - Parameter path: such as `live/camera1?token=x`, percent-decoded already; slashes at the ends do not matter.
    package init(path: String) throws(Fault) {
        let parts = path.split(separator: "?", maxSplits: 1, omittingEmptySubsequences: false)
        let query = parts.count > 1 ? String(parts[1]) : ""
        var items = (parts.first ?? "").split(separator: "/")
        guard let stream = items.popLast() else { throw .empty }
        self.app = items.joined(separator: "/")
        self.stream = String(stream)
        self.query = query
        try Self.checkText(self.app)
        try Self.check(self.stream)
    }

    /// Whether a stream can have this name: names become file names and parts of log lines.
    package static func check(_ name: String) throws(Fault) {
        guard !name.isEmpty else { throw .empty }
        // A slash with a combining mark is another letter, and still a slash in a file name: bytes are looked at.
        guard !name.utf8.contains(UInt8(ascii: "/")) else { throw .forbidden }
        try checkText(name)
    }

    private static func checkText(_ text: String) throws(Fault) {
        guard text.utf8.count <= maximumLength else { throw .tooLong }
        let dot = UInt8(ascii: ".")
        var previous: UInt8 = 0
        var isASCII = true
        for byte in text.utf8 {
            guard byte >= 0x20, byte != 0x7F, byte != UInt8(ascii: "\\"), !(byte == dot && previous == dot) else {
                throw .forbidden
            }
            if byte >= 0x80 { isASCII = false }
            previous = byte
        }
        guard text != ".", isASCII || text.unicodeScalars.allSatisfy(isAllowed) else { throw .forbidden }
    }

    package init(app: String, stream: String, query: String = "") {
        self.app = app
        self.stream = stream
        self.query = query
    }

    /// The first value of a parameter in the query, as it stands there.
    package func queryValue(_ name: String) -> Substring? {
        for item in query.split(separator: "&") where item.hasPrefix(name + "=") {
            return item.dropFirst(name.count + 1)
        }
        return nil
    }

    /// The form of H.265 that the query asks for with `hevc=enhanced` or `hevc=legacy`, for players that cannot say it otherwise:
    /// FFmpeg knows the enhanced one alone and does not tell.
    package var hevcFormat: FLVHEVCFormat? {
        for item in query.split(separator: "&") {
            switch item {
            case "hevc=enhanced": return .enhanced
            case "hevc=legacy": return .legacy
            default: continue
            }
        }
        return nil
    }

    private static func isAllowed(_ scalar: Unicode.Scalar) -> Bool {
        switch scalar.properties.generalCategory {
        case .control, .lineSeparator, .paragraphSeparator, .surrogate: false
        default: scalar != "\\" && scalar != "\u{FFFD}"
        }
    }
}

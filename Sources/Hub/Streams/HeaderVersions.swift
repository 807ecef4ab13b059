import Media

/// Numbers the headers of a stream: the same number while they differ in nothing but their time, whoever publishes. So a
/// viewer is not sent again what it has.
struct HeaderVersions: Sendable {
    private struct Entry {
        var messages: [FLVMessage]
        var version: Int
    }

    private var entries: [FLVHEVCFormat: Entry] = [:]

    /// - Parameter next: makes a number that was not given before.
    mutating func version(of headers: [FLVMessage], _ form: FLVHEVCFormat, next: () -> Int) -> Int {
        let messages = headers.map { header in
            var header = header
            header.timestamp = 0
            return header
        }
        if let entry = entries[form], entry.messages == messages { return entry.version }
        let version = next()
        entries[form] = Entry(messages: messages, version: version)
        return version
    }
}

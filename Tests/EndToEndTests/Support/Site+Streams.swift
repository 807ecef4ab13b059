import Foundation

extension Site {
    /// The session that feeds a stream.
    func input(of stream: String) async throws -> String? {
        let publisher = try await api.group(stream).data["pub"] as? [String: Any]
        let session = publisher?["session_id"] as? String ?? ""
        return session.isEmpty ? nil : session
    }

    func viewers(of stream: String) async throws -> [String] {
        let subs = try await api.group(stream).data["subs"] as? [[String: Any]] ?? []
        return subs.compactMap { $0["session_id"] as? String }
    }

    /// Bytes that the viewers of a stream have been sent.
    private func sent(to stream: String) async throws -> Int {
        let subs = try await api.group(stream).data["subs"] as? [[String: Any]] ?? []
        return subs.reduce(0) { $0 + (($1["wrote_bytes_sum"] as? NSNumber)?.intValue ?? 0) }
    }

    /// Waits until the publisher has left and the viewers have all of it.
    func settle(_ stream: String) async throws {
        try await wait(for: "the end of the input") { try await input(of: stream) == nil }
        var last = -1
        try await wait(for: "the last bytes") {
            let now = try await sent(to: stream)
            defer { last = now }
            return now == last
        }
    }

    /// Ends the viewers when the publisher has left and they have all of it.
    func endViewers(of stream: String) async throws {
        try await settle(stream)
        for viewer in try await viewers(of: stream) { _ = try await api.kick(stream, viewer) }
    }
}

import Hub
import NIOCore
import Streaming
import Synchronization
import Wire

/// The viewers of HLS: who asks for a playlist is one until he has asked for nothing for a while. Known by the `session_id` of their
/// URLs where there is a key, as lal's, else by address and User-Agent.
final class HLSSessions: Sendable {
    struct Refusal: Error {
        let reply: HLSReply
    }

    /// A request that was let in.
    struct Entrance: Sendable {
        /// nil: media that is fetched without a session.
        let key: Key?
    }

    enum Key: Hashable, Sendable {
        /// The `session_id`.
        case told(String)
        /// Of stream, address and User-Agent: what a peer sends may be long. `Hasher` is seeded, so that nobody can aim at another.
        case seen(Int)
    }

    private struct Entry {
        var session: SessionInfo
        var stream: String
        var bytes = ByteMeter()
        var lastAsked: NIODeadline
        var measured: NIODeadline
    }

    private static let parameter = "session_id"
    private static let measureInterval: Int64 = 5
    /// Of what is shown.
    private static let longestURL = 1024
    /// Viewers of one address that are told apart by their User-Agent: which anybody can write.
    private static let maximumOfAddress = 256

    let hub = Mutex<Hub?>(nil)
    private let options: HLSOptions
    /// Viewers without a session in their URLs that were ended, and until when they are.
    private let kicked = Mutex<[Key: NIODeadline]>([:])
    private let entries = Mutex<[Key: Entry]>([:])
    /// Viewers of each address.
    private let hosts = Mutex<[String: Int]>([:])

    init(_ options: HLSOptions) {
        self.options = options
    }

    var count: Int { entries.withLock { $0.count } }

    /// - Parameter isKnown: the stream is cut, or was a moment ago.
    func enter(
        _ request: HLSRequest,
        _ asker: HLSService.Asker,
        isKnown: @autoclosure () -> Bool,
        now: NIODeadline
    ) -> Result<Entrance, Refusal> {
        // record.m3u8 is a file that is fetched once.
        let isPlaylist =
            switch request.resource {
            case .livePlaylist, .mediaPlaylist, .multivariantPlaylist: true
            case .recordPlaylist, .media: false
            }
        if options.sessionKey.isEmpty {
            var key = Self.key(request.stream, asker.host, asker.userAgent)
            if touch(key, of: request.stream, now: now) { return .success(Entrance(key: key)) }
            if isPlaylist, isCrowded(asker.host) {
                key = Self.key(request.stream, asker.host, "")
                if touch(key, of: request.stream, now: now) { return .success(Entrance(key: key)) }
            }
            if isKicked(key, now: now) {
                return .failure(Refusal(reply: .refuse(status: 404, reason: "this viewer was ended by the API")))
            }
            guard isPlaylist else { return .success(Entrance(key: nil)) }
            let seen = key
            return add(key: { _ in seen }, request, asker, isKnown: isKnown, now: now).map { _ in Entrance(key: key) }
        }
        let address = StreamAddress(app: "", stream: request.stream, query: request.query)
        if let told = address.queryValue(Self.parameter) {
            guard touch(.told(String(told)), of: request.stream, now: now) else {
                let reason = "this viewer's session is over: fetch the playlist without session_id"
                return .failure(Refusal(reply: .refuse(status: 404, reason: reason)))
            }
            return .success(Entrance(key: .told(String(told))))
        }
        guard isPlaylist else { return .success(Entrance(key: nil)) }
        var id = ""
        let key: (String) -> Key = { session in
            id = MD5.hexadecimal(session + self.options.sessionKey)
            return .told(id)
        }
        switch add(key: key, request, asker, isKnown: isKnown, now: now) {
        case .failure(let refusal):
            return .failure(refusal)
        case .success:
            let query = request.query.isEmpty ? "" : request.query + "&"
            return .failure(Refusal(reply: .redirect("\(asker.path)?\(query)\(Self.parameter)=\(id)")))
        }
    }

    private static func key(_ stream: String, _ host: String, _ userAgent: String) -> Key {
        var hasher = Hasher()
        hasher.combine(stream)
        hasher.combine(host)
        hasher.combine(userAgent)
        return .seen(hasher.finalize())
    }

    /// Whoever comes on top is counted as one: behind a proxy all have its address.
    private func isCrowded(_ host: String) -> Bool {
        hosts.withLock { $0[host, default: 0] } >= Self.maximumOfAddress
    }

    private static func host(_ remoteAddress: String) -> String {
        remoteAddress.utf8.lastIndex(of: UInt8(ascii: ":")).map { String(remoteAddress[..<$0]) } ?? ""
    }

    private func isKicked(_ key: Key, now: NIODeadline) -> Bool {
        kicked.withLock { $0[key].map { now < $0 } ?? false }
    }

    private func touch(_ key: Key, of stream: String, now: NIODeadline) -> Bool {
        entries.withLock { entries in
            guard let index = entries.index(forKey: key), entries.values[index].stream == stream else { return false }
            entries.values[index].lastAsked = now
            return true
        }
    }

    private func add(
        key: (String) -> Key,
        _ request: HLSRequest,
        _ asker: HLSService.Asker,
        isKnown: () -> Bool,
        now: NIODeadline
    ) -> Result<Key, Refusal> {
        guard let hub = hub.withLock({ $0 }) else {
            return .failure(Refusal(reply: .refuse(status: 503, reason: "HLS is not served yet")))
        }
        // Names that nobody publishes must not fill the tables of streams and viewers.
        guard isKnown() || hub.presence(of: request.stream) != nil || isExpected(request.stream) else {
            let reason = "stream \(request.stream) is not published"
            return .failure(Refusal(reply: .refuse(status: 404, reason: reason)))
        }
        guard count < options.maximumSessions else {
            return .failure(
                Refusal(reply: .refuse(status: 503, reason: "there are \(options.maximumSessions) viewers of HLS"))
            )
        }
        let session = hub.makeSession(
            .hls,
            .viewer,
            remoteAddress: asker.remoteAddress,
            url: String(asker.url.prefix(Self.longestURL)),
            query: String(request.query.prefix(Self.longestURL))
        )
        let key = key(session.id)
        do throws(HubError) {
            try hub.enter(viewer: session, of: request.stream)
        } catch {
            return .failure(Refusal(reply: .refuse(status: 503, reason: error.description)))
        }
        let entry = Entry(session: session, stream: request.stream, lastAsked: now, measured: now)
        let replaced = entries.withLock { entries in entries.updateValue(entry, forKey: key) }
        hosts.withLock { $0[Self.host(session.remoteAddress), default: 0] += 1 }
        // Two requests of one viewer at the same time.
        if let replaced { leave([replaced]) }
        return .success(key)
    }

    func count(_ reply: HLSReply, of entrance: Entrance) {
        guard let key = entrance.key else { return }
        let bytes =
            switch reply {
            case .playlist(let text): text.readableBytes
            case .media(let media): media.bytes.readableBytes
            case .redirect, .refuse: 0
            }
        entries.withLock { $0[key]?.bytes.wroteBytes &+= bytes }
    }

    /// Somebody is on the way to publish it.
    func isExpected(_ stream: String) -> Bool {
        options.isExpected(stream)
    }

    func advance(to now: NIODeadline) {
        let over: [Entry] = entries.withLock { entries in
            var over: [Entry] = []
            for (key, entry) in entries {
                if now - entry.lastAsked >= options.sessionTime {
                    over.append(entry)
                    entries[key] = nil
                } else if now - entry.measured >= .seconds(Self.measureInterval) {
                    entries[key]?.bytes.measure(seconds: Int(Self.measureInterval))
                    entries[key]?.measured = now
                }
            }
            return over
        }
        kicked.withLock { kicked in
            if !kicked.isEmpty { kicked = kicked.filter { now < $0.value } }
        }
        leave(over)
    }

    func removeAll() {
        leave(
            entries.withLock { entries in
                defer { entries = [:] }
                return entries.values.map { $0 }
            }
        )
    }

    func kick(_ session: String, of stream: String, now: NIODeadline) -> Bool {
        let ended: (key: Key, entry: Entry)? = entries.withLock { entries in
            guard let found = entries.first(where: { $1.session.id == session && $1.stream == stream }) else {
                return nil
            }
            entries[found.key] = nil
            return (found.key, found.value)
        }
        guard let ended else { return false }
        if options.sessionKey.isEmpty { kicked.withLock { $0[ended.key] = now + options.sessionTime } }
        leave([ended.entry])
        return true
    }

    private func leave(_ gone: [Entry]) {
        guard !gone.isEmpty, let hub = hub.withLock({ $0 }) else { return }
        hosts.withLock { hosts in
            for entry in gone {
                let host = Self.host(entry.session.remoteAddress)
                let count = hosts[host, default: 1] - 1
                hosts[host] = count > 0 ? count : nil
            }
        }
        for entry in gone { hub.leave(viewer: entry.session, of: entry.stream, bytes: entry.bytes) }
    }

    func snapshots(of stream: String?) -> [(stream: String, snapshot: SessionSnapshot)] {
        entries.withLock { entries in
            entries.values.filter { stream == nil || $0.stream == stream }
                .map { ($0.stream, SessionSnapshot(info: $0.session, bytes: $0.bytes)) }
        }
    }
}

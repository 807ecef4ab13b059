import Wire

/// Our answers to a server's challenges (RFC 7616, RFC 2617). What the server asked for once is answered in every request that
/// follows.
struct RTSPClientAuthentication: Sendable {
    private enum Scheme: Sendable {
        case basic
        case digest(DigestChallenge)

        /// The stronger the higher.
        var rank: Int {
            switch self {
            case .basic: 0
            case .digest(let challenge): challenge.algorithm == .md5 ? 1 : 2
            }
        }
    }

    private let credentials: DigestCredentials
    private var scheme: Scheme?
    private var nonceCount: UInt32 = 0
    /// The last challenge was for nothing else than an old nonce.
    private(set) var isStale = false

    init(user: String, password: String) {
        credentials = DigestCredentials(username: user, password: password)
    }

    var hasCredentials: Bool { !credentials.username.isEmpty || !credentials.password.isEmpty }

    /// Takes the challenges of a 401.
    ///
    /// - Returns: whether another attempt is of use: false where there is no scheme that we know, or where the answer to this very
    ///   challenge was refused.
    mutating func take(_ headers: RTSPHeaders) -> Bool {
        let offered = headers.all("WWW-Authenticate").flatMap(Self.challenges).compactMap(Self.scheme)
        guard let best = offered.max(by: { $0.rank < $1.rank }) else { return false }
        switch (scheme, best) {
        case (.basic, .basic): return false
        case (.digest(let old), .digest(let new)) where old.nonce == new.nonce && !new.stale: return false
        default: break
        }
        if case .digest(let new) = best { isStale = new.stale }
        scheme = best
        nonceCount = 0
        return true
    }

    /// The value of `Authorization`; nil as long as nobody asked.
    mutating func header(method: RTSPMethod, url: String, cnonce: @autoclosure () -> String) -> String? {
        switch scheme {
        case nil:
            return nil
        case .basic:
            return BasicAuthorization(username: credentials.username, password: credentials.password).headerValue
        case .digest(let challenge):
            nonceCount &+= 1
            return credentials.answer(
                challenge: challenge,
                method: method.rawValue,
                uri: url,
                cnonce: challenge.qop == nil ? "" : cnonce(),
                nonceCount: nonceCount
            ).headerValue
        }
    }

    private static func scheme(_ challenge: String) -> Scheme? {
        if let digest = DigestChallenge(parsing: challenge, algorithms: [.sha256, .md5]) { return .digest(digest) }
        let name = challenge.prefix { $0 != " " }
        return HeaderText.isEqual(String(name), "Basic") ? .basic : nil
    }

    /// One field may hold several challenges: a piece that begins with two words begins another one.
    private static func challenges(_ value: String) -> [String] {
        var all: [String] = []
        for piece in HeaderText.split(value[...], separator: UInt8(ascii: ",")) {
            let word = piece.prefix { $0 != " " && $0 != "=" }
            if all.isEmpty || piece[word.endIndex...].first != "=" {
                all.append(String(piece))
            } else {
                all[all.count &- 1] += "," + piece
            }
        }
        return all
    }
}

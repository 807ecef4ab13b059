internal import Wire

/// lal's simple auth: whether a URL's `lal_secret` opens a stream.
package struct StreamAuthorization: Sendable {
    /// What is asked for; each has its own switch in `simple_auth`.
    package enum Access: Hashable, Sendable {
        case publishRTMP
        case playRTMP
        case playHTTPFLV
        case playHTTPTS
        case playHTTPFMP4
        /// Playlists; who has one has the names of the segments.
        case playHLS
        case publishRTSP
        case playRTSP
    }

    /// Why a stream stays shut. The texts are for the client: they hold neither the secret nor what it should have been.
    package enum Refusal: Error, Hashable, Sendable, CustomStringConvertible {
        case missing
        case wrong

        package var description: String {
            switch self {
            case .missing: "the URL has no lal_secret, the md5 of key and stream name"
            case .wrong: "the URL's lal_secret is not this stream's"
            }
        }
    }

    package static let parameter = "lal_secret"

    private let section: SimpleAuthSection

    package init(_ section: SimpleAuthSection) {
        self.section = section
    }

    /// - Parameter query: of the URL, without `?`.
    /// - Returns: nil when the stream is open.
    package func refusal(of access: Access, stream: String, query: String) -> Refusal? {
        guard isAsked(for: access) else { return nil }
        guard let given = URLText.parameter(Self.parameter, of: query), !given.isEmpty else { return .missing }
        // Either case of the digits, as lal has it; and of the master secret, which lal compares with the configured text
        // as it is, so that one with a capital letter never fits there.
        let candidate = given.lowercased()
        let expected = Secret(MD5.hexadecimal(section.key.value + stream))
        let master = Secret(section.dangerousLalSecret.value.lowercased())
        let isOwn = expected.matches(candidate)
        let isMaster = master.matches(candidate) && !master.isEmpty
        return isOwn || isMaster ? nil : .wrong
    }

    private func isAsked(for access: Access) -> Bool {
        switch access {
        case .publishRTMP: section.pubRtmpEnable
        case .playRTMP: section.subRtmpEnable
        case .playHTTPFLV: section.subHttpflvEnable
        case .playHTTPTS: section.subHttptsEnable
        // lal has no fMP4 and no switch for it: where FLV is shut, it must not be a way round.
        case .playHTTPFMP4: section.subHttpflvEnable || section.subHttptsEnable
        case .playHLS: section.hlsM3u8Enable
        case .publishRTSP: section.pubRtspEnable
        case .playRTSP: section.subRtspEnable
        }
    }
}

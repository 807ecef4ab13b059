package import NIOCore

extension HLSWindow {
    /// A request for the media playlist (RFC 8216bis 6.2.5.2).
    ///
    /// - Parameters:
    ///   - query: goes behind every URI, for tokens; escaped already, without `?`.
    ///   - arrived: when the request came. Nobody waits longer than three target durations.
    package func answer(
        _ directives: HLSDirectives,
        query: String = "",
        arrived: NIODeadline,
        now: NIODeadline
    ) -> HLSAnswer {
        if directives.part != nil, directives.segment == nil {
            return .refuse(status: 400, reason: "_HLS_part needs _HLS_msn")
        }
        guard isReady else {
            guard configuration.container == .fragmentedMP4, !hasEnded else {
                return .refuse(status: 404, reason: "the stream has no segment yet")
            }
            return wait(since: arrived, now: now)
        }
        // MPEG-TS lists do not offer blocking, and after the end nothing comes that one could wait for.
        if configuration.container == .fragmentedMP4, !hasEnded, let segment = directives.segment {
            switch state(of: segment, part: directives.part) {
            case .present: break
            case .coming: return wait(since: arrived, now: now)
            case .tooFar: return .refuse(status: 400, reason: "_HLS_msn or _HLS_part is too far ahead")
            }
        }
        let text = directives.skips ? delta ?? full : full
        return .playlist(text.with(query: query))
    }

    /// A request for a segment, part or initialization by its name, which is percent-decoded.
    package func media(_ name: String, arrived: NIODeadline, now: NIODeadline) -> HLSAnswer {
        let unknown = HLSAnswer.refuse(status: 404, reason: "there is no such file, or no longer")
        switch configuration.container {
        case .transportStream:
            let segment = segments.last { $0.opening.name == name } ?? retired.last { $0.opening.name == name }
            guard let segment else { return unknown }
            return .media(segment.bytes, contentType: "video/mp2t", cacheSeconds: 0)
        case .fragmentedMP4:
            if let initialization = initializations.last(where: { $0.name == name }) {
                return .media(initialization.bytes, contentType: Self.mp4, cacheSeconds: Self.cacheSeconds)
            }
            guard let (number, part) = numbers(name) else { return unknown }
            guard let bytes = bytes(number, part: part) else {
                // Only what the hint names: the whole part is sent at once when it is there.
                let isHinted = isReady && !hasEnded && number == next && part == open?.parts.count ?? 0
                return isHinted ? wait(since: arrived, now: now) : unknown
            }
            return .media(bytes, contentType: Self.mp4, cacheSeconds: Self.cacheSeconds)
        }
    }

    private static var mp4: String { "video/mp4" }
    /// Names carry the random prefix of the publication.
    private static var cacheSeconds: Int { 3600 }

    private enum Presence {
        case present
        case coming
        case tooFar
    }

    private func state(of segment: Int, part: Int?) -> Presence {
        let last = next - 1
        // What has left the list long ago is present too: the answer is the current playlist.
        if segment < last { return .present }
        guard segment &- last <= 2 else { return .tooFar }
        // What a peer can ask for is not limited, sums are.
        guard let part = part.map({ min($0, 1 << 30) }) else { return segment == last ? .present : .coming }
        let parts = open?.parts.count ?? 0
        if segment == last {
            // Behind its last part comes the first of the next segment.
            return part < (segments.last?.parts.count ?? 0) || parts > 0 ? .present : .coming
        }
        if segment == next, part < parts { return .present }
        let ahead = segment == next ? part - (parts - 1) : part
        return ahead <= advancePartLimit ? .coming : .tooFar
    }

    /// RFC 8216bis 6.2.5.2: three seconds' worth of parts shorter than a second, else three.
    private var advancePartLimit: Int {
        guard let part = target?.part, part > 0, part < 90_000 else { return 3 }
        return Int(270_000 / part)
    }

    private func wait(since arrived: NIODeadline, now: NIODeadline) -> HLSAnswer {
        let limit = arrived + .nanoseconds(3 * targetDuration * 100_000 / 9)
        guard now < limit else { return .refuse(status: 503, reason: "nothing new came for three target durations") }
        return .wait(until: limit)
    }

    /// What `HLSNames` wrote, and nothing else that reads like it.
    private func numbers(_ name: String) -> (Int, part: Int?)? {
        let start = names.prefix + "-"
        guard name.hasPrefix(start), name.hasSuffix(".m4s") else { return nil }
        let fields = name.dropFirst(start.count).dropLast(4).split(separator: "-", omittingEmptySubsequences: false)
        guard fields.count <= 2, let first = fields.first, let number = Int(first) else { return nil }
        guard fields.count == 2 else { return names.segment(number) == name ? (number, nil) : nil }
        guard let part = Int(fields[1]), names.part(number, part) == name else { return nil }
        return (number, part)
    }

    private func bytes(_ number: Int, part: Int?) -> ByteBuffer? {
        let segment =
            number == open?.opening.number
            ? open
            : segments.last { $0.opening.number == number } ?? retired.last { $0.opening.number == number }
        guard let segment else { return nil }
        guard let part else { return segment.bytes.readableBytes > 0 ? segment.bytes : nil }
        return part >= 0 && part < segment.parts.count ? segment.parts[part].bytes : nil
    }
}

/// What RTP's packetisers and receivers do to a stream whoever the server is.
struct RTSPLeniency: Hashable, Sendable {
    /// Milliseconds that one frame may be shifted against another.
    var tolerance = 20
    /// Frames of sound that the publisher's packetiser kept to itself at the end.
    var keptAtTheEnd = 0
    /// Times count from here on, in milliseconds of the source: before, the reader had no sender report of each track, and took both
    /// tracks to have begun together (RFC 3550 6.4.1).
    var synchronisedFrom = 0
    /// Whether frames of sound must be the source's bytes.
    var comparesSound = true
    /// RTP says when a picture is shown, not when it is decoded.
    var hasDecodingTimes = false
}

extension Recording {
    func faults(against source: Recording, _ leniency: RTSPLeniency) -> [String] {
        var faults: [String] = []
        if pictures.map(\.hash) != source.pictures.map(\.hash) {
            let same = zip(pictures, source.pictures).prefix { $0.hash == $1.hash }.count
            faults.append("pictures: \(pictures.count) of \(source.pictures.count), the first \(same) are right")
        }
        let missing = source.packets.audio.count - packets.audio.count
        let sounds: [(Int, Int)]
        if source.samples.isEmpty {
            let kept = missing > 0 && missing <= leniency.keptAtTheEnd ? missing : 0
            let expected = source.packets.audio.dropLast(kept)
            if leniency.comparesSound, packets.audio.map(\.hash) != expected.map(\.hash) {
                let same = zip(packets.audio, expected).prefix { $0.hash == $1.hash }.count
                faults.append("audio: \(packets.audio.count) packets of \(expected.count), the first \(same) are right")
            }
            if !leniency.comparesSound, packets.audio.count != expected.count {
                faults.append("audio: \(packets.audio.count) packets of \(expected.count)")
            }
            sounds = zip(packets.audio, expected).map { ($0.pts, $1.pts) }
        } else {
            if samples != source.samples {
                let same = zip(samples, source.samples).prefix { $0 == $1 }.count
                faults.append("samples: \(samples.count) of \(source.samples.count), the first \(same) are right")
            }
            // 8 samples a millisecond from the first on.
            var played = 0
            let begin = source.packets.audio.first?.pts ?? 0
            sounds = packets.audio.map { packet in
                defer { played += packet.size }
                return (packet.pts, begin + played / 8)
            }
        }
        let tracks = [("video", leniency.hasDecodingTimes ? packets.video : []), ("audio", packets.audio)]
        for (name, track) in tracks {
            let wrong = zip(track, track.dropFirst()).first { $1.dts <= $0.dts }
            if let wrong { faults.append("\(name): decoding time \(wrong.1.dts) after \(wrong.0.dts)") }
        }
        let judged = zip(pictures, source.pictures).filter { $0.1.pts >= leniency.synchronisedFrom }.map(\.0)
        for (one, next) in zip(judged, judged.dropFirst()) where next.pts <= one.pts {
            faults.append("pictures: \(next.pts) after \(one.pts)")
            break
        }
        func spread(_ times: [(Int, Int)]) -> [Int] {
            let shifts = times.filter { $0.1 >= leniency.synchronisedFrom }.map { $0.0 - $0.1 }
            return [shifts.min(), shifts.max()].compactMap(\.self)
        }
        let shown = zip(pictures, source.pictures).map { ($0.pts, $1.pts) }
        let shifts = spread(shown) + spread(sounds)
        if let least = shifts.min(), let most = shifts.max(), most - least > leniency.tolerance {
            faults.append("times: pictures are shifted by \(spread(shown)) ms, sound by \(spread(sounds)) ms")
        }
        return faults
    }
}

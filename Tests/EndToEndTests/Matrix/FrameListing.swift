/// What a framemd5 listing of FFmpeg says of each frame.
struct FrameListing: Hashable, Sendable {
    struct Entry: Hashable, Sendable {
        /// Milliseconds.
        var dts: Int
        var pts: Int
        var size = 0
        var hash: String
    }

    var video: [Entry] = []
    var audio: [Entry] = []

    init() {}

    init(_ text: String) {
        var kinds: [Int: String] = [:]
        var bases: [Int: Double] = [:]
        for line in text.split(separator: "\n") {
            let words = line.split { " :,/".contains($0) }
            if line.hasPrefix("#media_type"), words.count == 3, let index = Int(words[1]) {
                kinds[index] = String(words[2])
            } else if line.hasPrefix("#tb"), words.count == 4, let index = Int(words[1]) {
                bases[index] = 1000 * (Double(words[2]) ?? 0) / (Double(words[3]) ?? 1)
            } else if !line.hasPrefix("#"), words.count >= 6, let index = Int(words[0]) {
                // ffmpeg counts Enhanced RTMP's channel layout as a packet without bytes.
                guard words[4] != "0" else { continue }
                let base = bases[index] ?? 1
                func time(_ word: Substring) -> Int { Int(((Double(word) ?? 0) * base).rounded()) }
                // Behind the hash comes side data, which RTP's readers have of key frames.
                let entry = Entry(
                    dts: time(words[1]),
                    pts: time(words[2]),
                    size: Int(words[4]) ?? 0,
                    hash: String(words[5])
                )
                if kinds[index] == "audio" { audio.append(entry) }
                if kinds[index] == "video" { video.append(entry) }
            }
        }
    }
}

/// All that is judged of a stream: decoded pictures, coded audio, and the times of the packets.
struct Recording: Hashable, Sendable {
    /// Decoded, in the order of presentation.
    var pictures: [FrameListing.Entry] = []
    /// As they are stored or sent.
    var packets = FrameListing()
    /// The samples of G.711, which everybody cuts into packets as he likes.
    var samples: [UInt8] = []

    /// What fMP4 may have before the first sound of the source, and behind the last: silence, so that no browser waits for it.
    private static let longestSilence = 500

    /// Without the frames of silence that fMP4 begins with where sound comes a little after the picture.
    func withoutFirstSilence(before source: Recording) -> Recording {
        var result = self
        let more = packets.audio.count - source.packets.audio.count
        guard more > 0, let first = packets.audio.first, packets.audio.indices.contains(more),
            packets.audio[more].pts - first.pts < Self.longestSilence
        else { return self }
        result.packets.audio.removeFirst(more)
        return result
    }

    /// As `faults(against:tolerance:)`, where G.711 came as another codec: all of its samples are there, at the time that they were.
    func faultsOfRecodedSound(against source: Recording, tolerance: Int) -> [String] {
        var faults: [String] = []
        // The last samples may not fill a frame.
        let silence = (0...Self.longestSilence * 8).first {
            source.samples.starts(with: samples.dropFirst($0).prefix(2000))
        }
        let own = samples.dropFirst(silence ?? 0)
        let same = zip(own, source.samples).prefix { $0 == $1 }.count
        if source.samples.count - same > 640 || same == 0 {
            faults.append("samples: \(own.count) of \(source.samples.count), the first \(same) are right")
        }
        if let sound = packets.audio.first, let begin = source.packets.audio.first, let picture = pictures.first,
            let first = source.pictures.first
        {
            let shift = (sound.pts + (silence ?? 0) / 8 - picture.pts) - (begin.pts - first.pts)
            if abs(shift) > tolerance { faults.append("times: sound is shifted by \(shift) ms") }
        }
        var pictures = self
        var sources = source
        pictures.packets.audio = []
        sources.packets.audio = []
        return faults + pictures.faults(against: sources, tolerance: 20)
    }

    /// Why this is not the same stream as `source`; empty when it is.
    /// - Parameters:
    ///   - tolerance: milliseconds that one frame may be shifted against another.
    ///   - strict: no two packets of a track may have the same decoding time.
    func faults(against source: Recording, tolerance: Int, strict: Bool = true) -> [String] {
        var faults: [String] = []
        if pictures.map(\.hash) != source.pictures.map(\.hash) {
            let same = zip(pictures, source.pictures).prefix { $0.hash == $1.hash }.count
            faults.append("pictures: \(pictures.count) of \(source.pictures.count), the first \(same) are right")
        }
        // Sound from before the first picture may be left out: a viewer starts with a key frame.
        let early = source.packets.audio.prefix { sound in source.pictures.first.map { sound.pts < $0.pts } ?? false }
        let missing = source.packets.audio.count - packets.audio.count
        let expected =
            missing > 0 && missing <= early.count
            ? source.packets.audio.dropFirst(missing)[...] : source.packets.audio[...]
        if packets.audio.map(\.hash) != expected.map(\.hash) {
            let same = zip(packets.audio, expected).prefix { $0.hash == $1.hash }.count
            faults.append("audio: \(packets.audio.count) packets of \(expected.count), the first \(same) are right")
        }
        for (name, track) in [("video", packets.video), ("audio", packets.audio)] {
            let wrong = zip(track, track.dropFirst()).first { strict ? $1.dts <= $0.dts : $1.dts < $0.dts }
            if let wrong { faults.append("\(name): decoding time \(wrong.1.dts) after \(wrong.0.dts)") }
        }
        let shifts =
            zip(pictures, source.pictures).map { $0.pts - $1.pts }
            + zip(packets.audio, expected).map { $0.pts - $1.pts }
        if let least = shifts.min(), let most = shifts.max(), most - least > tolerance {
            faults.append("times: frames are shifted by \(least) to \(most) ms against one another")
        }
        return faults
    }
}

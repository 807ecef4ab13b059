extension Recording {
    /// Drops what fMP4 has before the first sound of the source.
    mutating func dropFirstSilence(before source: Recording) {
        let known = Set(source.packets.audio.map(\.hash))
        let begin = packets.audio.first?.pts ?? 0
        packets.audio = Array(packets.audio.drop { !known.contains($0.hash) && $0.pts - begin < 500 })
    }

    /// What a demuxer may keep at the end, in pictures and in milliseconds of sound.
    private static let keptPictures = 4
    private static let keptSound = 250

    /// Why this is not a run of `source`: from its beginning, or from a key frame of the first two thirds for those who come late,
    /// without a hole up to a little before the end, and with sound as far from the picture as it was. Empty when it is.
    ///
    /// - Parameter hearsAtOnce: its sound begins with its picture.
    func faultsOfRun(
        of source: Recording,
        isLate: Bool,
        recoded: Bool,
        hearsAtOnce: Bool = true
    ) -> [String] {
        guard let picture = pictures.first, let begin = source.pictures.firstIndex(where: { $0.hash == picture.hash })
        else { return ["\(pictures.count) pictures, the first of which is none of the source's"] }
        var faults: [String] = []
        if begin % 25 != 0 || begin > (isLate ? 50 : 0) { faults.append("begins with picture \(begin)") }
        let expected = source.pictures.dropFirst(begin).dropLast(Self.keptPictures)
        let same = zip(pictures, expected).prefix { $0.hash == $1.hash }.count
        if same < expected.count { faults.append("\(same) pictures are right, then not") }
        var shifts = zip(pictures, expected).prefix(same).map { $0.pts - $1.pts }
        if let last = source.packets.audio.last {
            if recoded {
                faults += faultsOfSamples(of: source, after: picture.pts - source.pictures[begin].pts)
            } else {
                guard let sound = packets.audio.first,
                    let heard = source.packets.audio.firstIndex(where: { $0.hash == sound.hash })
                else { return faults + ["\(packets.audio.count) sounds, the first of which is none of the source's"] }
                let due = max(source.pictures[begin].pts, source.packets.audio[0].pts)
                let late = source.packets.audio[heard].pts - due
                if hearsAtOnce, late > 50 { faults.append("sound begins \(late) ms late") }
                let expected = source.packets.audio.dropFirst(heard).prefix { $0.pts < last.pts - Self.keptSound }
                let same = zip(packets.audio, expected).prefix { $0.hash == $1.hash }.count
                if same < expected.count { faults.append("\(same) sounds are right, then not") }
                shifts += zip(packets.audio, expected).prefix(same).map { $0.pts - $1.pts }
            }
        } else if !packets.audio.isEmpty {
            faults.append("\(packets.audio.count) sounds where there are none")
        }
        if let least = shifts.min(), let most = shifts.max(), most - least > 24 {
            faults.append("frames are shifted by \(least) to \(most) ms against one another")
        }
        return faults
    }

    /// G.711 that came as another codec, with silence where the clip had none yet.
    private func faultsOfSamples(of source: Recording, after shift: Int) -> [String] {
        guard let first = source.packets.audio.first, let sound = packets.audio.first else { return ["no sound"] }
        let silence = samples.prefix { $0 == 0xD5 }.count
        let own = samples.dropFirst(silence)
        // Noise is in it: so much is nowhere else.
        let start = Array(own.prefix(200))
        guard start.count == 200, let at = source.samples.firstRange(of: start)?.lowerBound else {
            return ["the first samples are none of the source's"]
        }
        var faults: [String] = []
        let expected = source.samples.dropFirst(at).dropLast(Self.keptSound * 8)
        let same = zip(own, expected).prefix { $0 == $1 }.count
        if same < expected.count { faults.append("\(same) samples of \(expected.count) are right") }
        let place = (sound.pts + silence / 8) - (first.pts + at / 8) - shift
        if abs(place) > 60 { faults.append("samples are shifted by \(place) ms") }
        return faults
    }
}

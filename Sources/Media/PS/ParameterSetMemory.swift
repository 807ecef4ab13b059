/// The parameter sets of a video as they come: with each key frame, once at the beginning, or one by one.
struct ParameterSetMemory {
    /// A record gives 16 bits to a length; a set has some tens of bytes.
    private static let longestSet = 4096
    private static let mostSets = 16

    private(set) var known: VideoParameters?
    /// Two fields may share a frame, by the SPS.
    private(set) var mayHaveFields = false

    /// Adds a NAL unit to the sets of its access unit, if it is one.
    static func add(_ unit: ArraySlice<UInt8>, _ kind: NALUnitKind, to sets: inout VideoParameters) {
        guard !unit.isEmpty, unit.count <= longestSet else { return }
        switch kind {
        case .videoParameterSet: add(Array(unit), to: &sets.vps)
        case .sequenceParameterSet: add(Array(unit), to: &sets.sps)
        case .pictureParameterSet: add(Array(unit), to: &sets.pps)
        default: break
        }
    }

    private static func add(_ set: [UInt8], to sets: inout [[UInt8]]) {
        if sets.count < mostSets, !sets.contains(set) { sets.append(set) }
    }

    /// Takes over the sets of an access unit. Sets with an SPS replace all of their kinds; a lone PPS replaces its like.
    mutating func take(_ sets: VideoParameters) {
        let vps = sets.vps.isEmpty ? known?.vps ?? [] : sets.vps
        let sps = sets.sps.isEmpty ? known?.sps ?? [] : sets.sps
        var pps = sets.pps
        if pps.isEmpty {
            pps = known?.pps ?? []
        } else if sets.sps.isEmpty, let old = known?.pps {
            pps = Self.merged(old, pps, sets.codec)
        }
        if let known, known.vps == vps, known.sps == sps, known.pps == pps { return }
        known = VideoParameters(codec: sets.codec, vps: vps, sps: sps, pps: pps)
        mayHaveFields = sps.contains {
            $0.withSpan { SequenceParameterSet(sets.codec, $0)?.mayHaveFields == true }
        }
    }

    /// The old sets with those replaced that have the identifier of a new one.
    private static func merged(_ old: [[UInt8]], _ new: [[UInt8]], _ codec: VideoCodec) -> [[UInt8]] {
        func identifier(_ set: [UInt8]) -> UInt32? {
            set.withSpan { span in
                var reader = BitReader(rbspOf: span, headerLength: codec == .h264 ? 1 : 2, limit: 16)
                return reader.unsignedGolomb()
            }
        }
        let replaced = new.map(identifier)
        var sets = old.filter { !replaced.contains(identifier($0)) }
        for set in new { add(set, to: &sets) }
        return sets
    }
}

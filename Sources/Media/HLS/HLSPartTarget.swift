/// How long parts are.
///
/// RFC 8216bis 4.4.4.9: a part is not longer than PART-TARGET and, if no decoder can start in it and it is not the last of its
/// segment, not shorter than 85 % of it. PART-TARGET is a number of frames that comes to the wanted duration at least, with
/// room for frames that do not come evenly. It is chosen from the frames of the first segment and stays.
struct HLSPartTarget: Equatable {
    /// In 1/90000 s, whole milliseconds.
    let longest: Int64
    let shortest: Int64

    /// - Parameters:
    ///   - wanted: in 1/90000 s.
    ///   - frame: how long a frame lasts.
    ///   - limit: no target is longer.
    init(wanted: Int64, frame: Int64, limit: Int64) {
        let frame = min(max(frame, 1), limit)
        let whole = (wanted &+ frame &- 1) / frame &* frame
        let room = min(whole * 75 / 1000, frame / 2)
        longest = min((whole &+ room &+ 89) / 90 &* 90, limit)
        shortest = (longest * 85 &+ 99) / 100
    }

    /// The usual distance of times, which is the middle one; nil for fewer than two.
    static func usualStep(_ times: [Int64]) -> Int64? {
        let steps = zip(times.dropFirst(), times).map { $0 &- $1 }.filter { $0 > 0 }.sorted()
        return steps.isEmpty ? nil : steps[steps.count / 2]
    }
}

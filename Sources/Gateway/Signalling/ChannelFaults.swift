/// Why each channel's last invitation failed, for those whose last one did.
struct ChannelFaults {
    struct Fault: Hashable {
        let text: String
        let at: WallTime
    }

    /// Anybody's channel IDs can be asked for: what is beyond drives out the oldest.
    static let maximum = 4096
    /// Characters; what a peer said is in it.
    static let maximumText = 500

    private(set) var all: [ChannelKey: Fault] = [:]

    subscript(key: ChannelKey) -> Fault? { all[key] }

    mutating func note(_ text: String, of key: ChannelKey, at now: WallTime) {
        if all[key] == nil, all.count >= Self.maximum,
            let oldest = all.min(by: { $0.value.at < $1.value.at })?.key
        {
            all[oldest] = nil
        }
        all[key] = Fault(text: String(text.prefix(Self.maximumText)), at: now)
    }

    mutating func clear(_ key: ChannelKey) {
        all[key] = nil
    }
}

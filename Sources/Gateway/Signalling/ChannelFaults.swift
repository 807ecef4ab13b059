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

    private var faults: [ChannelKey: Fault] = [:]

    subscript(key: ChannelKey) -> Fault? { faults[key] }

    mutating func note(_ text: String, of key: ChannelKey, at now: WallTime) {
        if faults[key] == nil, faults.count >= Self.maximum,
            let oldest = faults.min(by: { $0.value.at < $1.value.at })?.key
        {
            faults[oldest] = nil
        }
        faults[key] = Fault(text: String(text.prefix(Self.maximumText)), at: now)
    }

    mutating func clear(_ key: ChannelKey) {
        faults[key] = nil
    }
}

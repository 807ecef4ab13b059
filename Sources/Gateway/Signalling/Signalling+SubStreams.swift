internal import GB28181
internal import Wire

/// Sub streams: smaller pictures of a channel, each a session of its own.
extension Signalling {
    func streamSelection(of device: Device) -> StreamSelection? {
        settings.selections[device.id] ?? device.streamSelection
    }

    /// What the offer says; nil for the main stream, which devices send unasked.
    func selection(_ key: ChannelKey, of device: Device) throws -> SessionDescription.Attribute? {
        guard key.streamNumber > 0 else { return nil }
        let subject = "invite \(key) of device \(device.id)"
        guard let selection = streamSelection(of: device) else {
            throw ControlError.inviteFailed(
                """
                \(subject): nothing is known of how it is asked for a sub stream (X-GB-Ver \(device.protocolVersion), manufacturer \
                "\(device.manufacturer)"); stream_selection in its file of gb28181.devices_dir says how
                """
            )
        }
        let listed = device.channels.first { $0.deviceID == key.channelID }?.streamNumbers
        guard listed?.contains(key.streamNumber) != false, let attribute = selection.attribute(key.streamNumber) else {
            let numbers = listed?.map { "\($0)" }.joined(separator: ", ") ?? "0, 1"
            throw ControlError.inviteFailed("\(subject): there is no such stream, expected one of \(numbers)")
        }
        return attribute
    }

    /// What channels are asked for besides their main streams, by channel; and why such a session failed.
    func subStreams() -> [ChannelKey: SubStreams] {
        var found: [ChannelKey: SubStreams] = [:]
        for (key, session) in sessions where key.streamNumber > 0 {
            let stat = GB28181SubStreamStat(
                streamNumber: key.streamNumber,
                status: session.status,
                streamName: session.streamName
            )
            found[key.main, default: SubStreams()].sessions.append(stat)
        }
        for (key, fault) in faults.all where key.streamNumber > 0 {
            let known = found[key.main]?.fault
            if known.map({ $0.at < fault.at }) ?? true { found[key.main, default: SubStreams()].fault = fault }
        }
        return found
    }
}

/// Of one channel.
struct SubStreams {
    var sessions: [GB28181SubStreamStat] = []
    /// The newest.
    var fault: ChannelFaults.Fault?
}

extension StreamSelection? {
    /// Which streams of a channel can be asked for: by its catalog, else main and sub; the main stream alone where nothing is known of how
    /// the device is asked.
    func numbers(of item: CatalogItem) -> [Int] {
        guard let self else { return [0] }
        return (item.streamNumbers ?? [0, 1]).filter { $0 == 0 || self.attribute($0) != nil }
    }
}

extension ChannelSession {
    /// As the API calls it.
    var status: String { state == .streaming ? "streaming" : "inviting" }
}

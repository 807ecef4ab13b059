internal import GB28181
internal import Wire

/// Sub streams: smaller pictures of a channel, each a session of its own.
extension Signalling {
    private func streamSelection(of device: Device) -> StreamSelection? {
        settings.selections[device.id] ?? StreamSelection(device)
    }

    /// Which streams of a channel can be asked for: by its catalog, else main and sub; the main stream alone where nothing is known of how
    /// the device is asked.
    func streamNumbers(of item: CatalogItem, _ device: Device) -> [Int] {
        guard let selection = streamSelection(of: device) else { return [0] }
        return (item.streamNumbers ?? [0, 1]).filter { $0 == 0 || selection.attribute($0) != nil }
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

    func subStreams(of channel: ChannelKey) -> [(number: Int, session: ChannelSession)] {
        StreamSelection.numbers.dropFirst().compactMap { number in
            var key = channel
            key.streamNumber = number
            return sessions[key].map { (number, $0) }
        }
    }

    func subStreamStats(of channel: ChannelKey) -> [GB28181SubStreamStat] {
        subStreams(of: channel).map { number, session in
            GB28181SubStreamStat(streamNumber: number, status: session.status, streamName: session.streamName)
        }
    }
}

extension ChannelSession {
    /// As the API calls it.
    var status: String { state == .streaming ? "streaming" : "inviting" }
}

internal import GB28181
internal import NIOCore
internal import SIP

extension Signalling {
    /// Every device with its channels, as the API shows them.
    func deviceStats() -> [GB28181DeviceStat] {
        let subStreams = subStreams()
        return core.devices.map { device in
            let selection = streamSelection(of: device)
            return GB28181DeviceStat(
                deviceID: device.id,
                deviceName: device.name,
                status: device.isOnline ? "online" : "offline",
                registerTime: time(device.registeredAt),
                keepaliveTime: time(device.keepaliveAt),
                channels: device.channels.map { channelStat($0, of: device.id, selection, subStreams) },
                manufacturer: device.manufacturer,
                model: device.model,
                firmware: device.firmware,
                transport: device.flow?.transport.rawValue ?? "",
                remoteAddr: device.flow.map { "\($0.remoteHost):\($0.remotePort)" } ?? "",
                userAgent: device.userAgent,
                catalogComplete: device.catalog != .incomplete,
                catalog: catalogStat(device)
            )
        }
    }

    private func catalogStat(_ device: Device) -> GB28181CatalogStat {
        let query = device.catalogQuery
        let state =
            switch device.catalog {
            case .querying: "querying"
            case _ where query.isFailed: "failed"
            case .unknown: "none"
            case .complete: "complete"
            case .incomplete: "incomplete"
            }
        return GB28181CatalogStat(
            state: state,
            received: query.received,
            total: query.total,
            time: time(query.at),
            error: query.fault
        )
    }

    func seen(_ device: Device) -> String {
        let last = max(device.keepaliveAt ?? 0, device.registeredAt ?? 0)
        return last == 0 ? "never" : WallTime(unixMilliseconds: last).seconds
    }

    private func channelStat(
        _ item: CatalogItem,
        of deviceID: String,
        _ selection: StreamSelection?,
        _ subStreams: [ChannelKey: SubStreams]
    ) -> GB28181ChannelStat {
        let key = ChannelKey(deviceID: deviceID, channelID: item.deviceID)
        let session = sessions[key]
        let sub = subStreams[key]
        let fault = faults[key] ?? sub?.fault
        return GB28181ChannelStat(
            channelID: item.deviceID,
            channelName: item.name,
            status: session?.status ?? "idle",
            streamName: session?.streamName ?? "",
            streamNumbers: selection.numbers(of: item),
            subStreams: (sub?.sessions ?? []).sorted { $0.streamNumber < $1.streamNumber },
            online: item.isOnline,
            manufacturer: item.manufacturer,
            parentID: item.parentIDs.joined(separator: "/"),
            ptzType: item.ptzType ?? 0,
            address: item.address,
            parental: item.hasChildren,
            lastError: fault?.text ?? "",
            lastErrorTime: fault?.at.seconds ?? ""
        )
    }

    /// Asks a device for its catalog by the operator's wish. Throws 3001 where it is not online.
    func queryCatalog(_ deviceID: String) throws {
        guard let device = core.device(deviceID) else { throw ControlError.deviceNotFound(deviceID) }
        let (isSent, actions) = core.queryCatalog(deviceID, now: .now())
        guard isSent else {
            throw ControlError(.deviceNotFound, "device \(deviceID) is offline; last seen \(seen(device))")
        }
        perform(actions)
    }

    /// The last SIP messages of a device.
    func messages(of deviceID: String) throws -> [SIPMessageRecord] {
        guard core.device(deviceID) != nil else { throw ControlError.deviceNotFound(deviceID) }
        let entries = core.trace.entries(deviceID)
        return entries.map { entry in
            SIPMessageRecord(
                time: WallTime(unixMilliseconds: entry.at).lal,
                direction: entry.isOutgoing ? .sent : .received,
                transport: entry.flow.transport.rawValue,
                remoteAddr: "\(entry.flow.remoteHost):\(entry.flow.remotePort)",
                text: entry.text
            )
        }
    }

    /// The session of a stream, for the dump switch.
    func handle(ofStream stream: String) -> MediaHandle? {
        sessions.values.first { $0.streamName == stream }?.media
    }

    private func time(_ unixMilliseconds: Int64?) -> String {
        unixMilliseconds.map { WallTime(unixMilliseconds: $0).seconds } ?? ""
    }
}

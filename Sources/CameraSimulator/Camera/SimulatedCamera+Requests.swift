internal import GB28181
internal import NIOCore
internal import SIP

extension SimulatedCamera {
    /// A request of the platform, for the first time.
    mutating func receive(_ request: SIPRequest, _ id: SIPServerTransactionID, now: NIODeadline) -> [Action] {
        switch request.method {
        case .message: return receiveMessage(request, id, now: now)
        case .invite: return receiveInvite(request, id, now: now)
        case .bye: return receiveBye(request, id, now: now)
        case .info, .options, .subscribe, .notify: return respond(request, id, 200, now: now)
        case .register, .ack, .cancel, .other: return respond(request, id, 405, now: now)
        }
    }

    mutating func respond(
        _ request: SIPRequest,
        _ id: SIPServerTransactionID,
        _ status: Int,
        now: NIODeadline
    ) -> [Action] {
        guard let flow else { return [] }
        var response = SIPResponse(to: request, from: flow, status: status, tag: status == 100 ? nil : tokens.token())
        response.headers.append(.userAgent, Self.userAgent)
        return translate(transactions.respond(id, with: response, now: now), now: now)
    }

    private mutating func receiveMessage(
        _ request: SIPRequest,
        _ id: SIPServerTransactionID,
        now: NIODeadline
    ) -> [Action] {
        let message: ManscdpMessage
        do {
            message = try ManscdpMessage.parse(request.body)
        } catch {
            return respond(request, id, 400, now: now)
        }
        var actions = respond(request, id, 200, now: now)
        guard case .query(let query) = message else { return actions }
        for report in reports(to: query) { outbox.append(report.encoded(charset: configuration.charset)) }
        if !isReporting { actions += sendNextReport(now: now) }
        return actions
    }

    mutating func sendNextReport(now: NIODeadline) -> [Action] {
        guard !outbox.isEmpty, !isStopping else {
            isReporting = false
            return []
        }
        isReporting = true
        return send(message(outbox.removeFirst()), for: .report, now: now)
    }

    private func reports(to query: ManscdpQuery) -> [ManscdpReport] {
        // More than this many waiting answers is a platform that asks in a loop.
        guard outbox.count < 10_000 else { return [] }
        switch query {
        case .catalog(let sn, let deviceID):
            let items =
                deviceID == configuration.id
                ? configuration.channels : configuration.channels.filter { $0.id == deviceID }
            guard !items.isEmpty else {
                return [.catalog(CatalogPart(sn: sn, deviceID: deviceID, sumNum: 0, items: []))]
            }
            // One item a message, as most cameras do: several would not fit a datagram.
            return items.map { channel in
                .catalog(CatalogPart(sn: sn, deviceID: deviceID, sumNum: items.count, items: [item(channel)]))
            }
        case .deviceInfo(let sn, let deviceID):
            return [
                .deviceInfo(
                    DeviceInfo(
                        sn: sn,
                        deviceID: deviceID,
                        name: configuration.name,
                        manufacturer: configuration.manufacturer,
                        model: configuration.model,
                        firmware: "1.0",
                        channelCount: configuration.channels.count
                    )
                )
            ]
        case .deviceStatus(let sn, let deviceID):
            return [.deviceStatus(DeviceStatus(sn: sn, deviceID: deviceID, isEncoding: true, isRecording: false))]
        }
    }

    private func item(_ channel: CameraConfiguration.Channel) -> CatalogItem {
        CatalogItem(
            deviceID: channel.id,
            name: channel.name,
            manufacturer: configuration.manufacturer,
            model: configuration.model,
            civilCode: String(configuration.id.prefix(6)),
            address: "演示",
            parentIDs: [configuration.id],
            isOnline: true,
            ptzType: 3,
            extras: [.init("Owner", "gbgate"), .init("RegisterWay", "1"), .init("Secrecy", "0")]
                + (channel.subClip == nil ? [] : [.init(CatalogItem.streamNumberList, "0/1")])
        )
    }
}

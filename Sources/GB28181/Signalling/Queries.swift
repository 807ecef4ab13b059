package import NIOCore
internal import SIP

/// When a device is asked next.
struct QueryPlan: Sendable {
    var infoAt: NIODeadline?
    var catalogAt: NIODeadline?
    var lastCatalogAt: NIODeadline?
    /// When the timer of the running assembly fires.
    var assemblyWakeAt: NIODeadline?
    /// Catalog queries in a row that brought nothing.
    var failures = 0

    init(lastCatalogAt: NIODeadline? = nil) {
        self.lastCatalogAt = lastCatalogAt
    }
}

/// What one of our requests was for.
enum ClientRole {
    case deviceInfo(slot: Int, deviceID: String)
    case catalog(slot: Int, deviceID: String)
    /// An answer of ours that travels as a request.
    case report
    case invite(session: UInt64)
    /// An INVITE that was given up; a late 200 still wants ACK and BYE.
    case abandonedInvite(SIPRequest, deviceID: String, channelID: String)
    case bye(farewell: UInt64)
}

/// DeviceInfo and Catalog after registration and routinely (2.4, 3.4).
extension SignallingCore {
    /// Asks soon; a catalog not more often than `notBefore` allows.
    mutating func planQueries(_ slot: Int, notBefore: TimeAmount, now: NIODeadline) {
        // A little chance keeps ten thousand devices that come back together from being asked in one moment.
        let wait = TimeAmount.milliseconds(100 + Int64(transactions.tokens.number() % 200))
        var catalogAt = now + wait + .milliseconds(150)
        if let last = allDevices[slot].queries.lastCatalogAt { catalogAt = max(catalogAt, last + notBefore) }
        if allDevices[slot].queries.infoAt == nil { allDevices[slot].queries.infoAt = now + wait }
        allDevices[slot].queries.failures = 0
        planCatalog(slot, at: catalogAt)
        schedule(.queries, slot, at: now + wait)
    }

    private mutating func planCatalog(_ slot: Int, at time: NIODeadline) {
        if let planned = allDevices[slot].queries.catalogAt, planned <= time { return }
        allDevices[slot].queries.catalogAt = time
        schedule(.queries, slot, at: time)
    }

    /// Asks for the catalog now, by the operator's wish; a query that is under way is joined. False where the device is
    /// not online.
    package mutating func queryCatalog(
        _ deviceID: String,
        now: NIODeadline
    ) -> (isSent: Bool, actions: [SignallingAction]) {
        guard let slot = slots[deviceID], allDevices[slot].isOnline else { return (false, []) }
        if allDevices[slot].catalog != .querying { sendCatalogQuery(slot, now: now) }
        return (true, take())
    }

    mutating func runQueries(_ slot: Int, now: NIODeadline) {
        guard allDevices.indices.contains(slot), allDevices[slot].isOnline else { return }
        if let time = allDevices[slot].queries.infoAt, time <= now {
            allDevices[slot].queries.infoAt = nil
            let deviceID = allDevices[slot].id
            let query = ManscdpQuery.deviceInfo(sn: nextSequence(), deviceID: deviceID)
            sendMessage(
                query.encoded(charset: charset(slot)),
                to: slot,
                role: .deviceInfo(slot: slot, deviceID: deviceID),
                now: now
            )
        }
        if let time = allDevices[slot].queries.catalogAt, time <= now { sendCatalogQuery(slot, now: now) }
    }

    private mutating func sendCatalogQuery(_ slot: Int, now: NIODeadline) {
        allDevices[slot].queries.catalogAt = nil
        allDevices[slot].queries.lastCatalogAt = now
        let sn = nextSequence()
        let deviceID = allDevices[slot].id
        let assembly = CatalogAssembly(sn: sn, deviceID: deviceID, now: now)
        assemblies[slot] = assembly
        allDevices[slot].catalog = .querying
        allDevices[slot].catalogQuery = CatalogQueryReport(at: clock.milliseconds(now))
        allDevices[slot].queries.assemblyWakeAt = nil
        scheduleAssembly(slot)
        let body = ManscdpQuery.catalog(sn: sn, deviceID: deviceID).encoded(charset: charset(slot))
        sendMessage(body, to: slot, role: .catalog(slot: slot, deviceID: deviceID), now: now)
    }

    /// What the device is written to in: as it writes, and by the name that its version of the standard uses.
    func charset(_ slot: Int) -> Charset {
        let device = allDevices[slot]
        return device.charset == .gb2312 && device.protocolVersion.hasPrefix("3") ? .gb18030 : device.charset
    }

    /// Unique among outstanding queries, below 2^31 for devices that keep 32 bits.
    mutating func nextSequence() -> Int {
        sequence = sequence >= 0x3FFF_FFFF ? 1 : sequence + 1
        return sequence
    }

    mutating func queryFailed(_ role: ClientRole, _ reason: String, now: NIODeadline) {
        switch role {
        case .deviceInfo(let slot, let deviceID):
            // A failed query alone never sets a device offline.
            guard slots[deviceID] == slot else { return }
            allDevices[slot].statistics.failedQueries += 1
            log(.debug, "query-\(deviceID)", "device \(deviceID): DeviceInfo query failed: \(reason)")
        case .catalog(let slot, let deviceID):
            // What came counts, even if the device never answered the query itself.
            guard slots[deviceID] == slot, allDevices[slot].catalog != .complete else { return }
            log(.info, "query-\(deviceID)", "device \(deviceID): Catalog query failed: \(reason)")
            catalogFailed(slot, reason, now: now)
        default: break
        }
    }

    private mutating func catalogFailed(_ slot: Int, _ reason: String, now: NIODeadline) {
        allDevices[slot].statistics.failedQueries += 1
        allDevices[slot].catalogQuery.at = clock.milliseconds(now)
        allDevices[slot].catalogQuery.fault = reason
        if assemblies[slot]?.count ?? 0 == 0 {
            assemblies[slot] = nil
            allDevices[slot].catalog = allDevices[slot].channels.isEmpty ? .unknown : .incomplete
            allDevices[slot].catalogQuery.isFailed = true
        }
        allDevices[slot].queries.failures += 1
        if allDevices[slot].queries.failures <= 3, allDevices[slot].isOnline {
            planCatalog(slot, at: now + .seconds(30))
        } else {
            planRoutine(slot, now: now)
        }
    }

    private mutating func planRoutine(_ slot: Int, now: NIODeadline) {
        let interval = configuration.catalogQueryInterval
        guard interval > .nanoseconds(0), allDevices[slot].isOnline else { return }
        let spread = Int64(transactions.tokens.number() % UInt64(max(1, interval.nanoseconds / 10)))
        planCatalog(slot, at: now + interval + .nanoseconds(spread))
    }

    // Answers

    mutating func receiveInfo(_ info: DeviceInfo, _ slot: Int) {
        guard info.isOK else { return }
        let id = allDevices[slot].id
        if configuration.provisioned[id]?.name.isEmpty ?? true, !info.name.isEmpty {
            allDevices[slot].name = info.name
        }
        allDevices[slot].manufacturer = info.manufacturer
        allDevices[slot].model = info.model
        allDevices[slot].firmware = info.firmware
        actions.append(.deviceChanged(deviceID: id))
        actions.append(.persistDevice(deviceID: id))
    }

    mutating func receiveCatalog(_ part: CatalogPart, _ slot: Int, now: NIODeadline) {
        guard var assembly = assemblies[slot] else {
            // Late, or never asked for: what it lists is there all the same.
            merge(part.items, slot, isComplete: false)
            return publish(slot, isComplete: false)
        }
        // Some devices send SN 0 or cut it; with one query outstanding there is no doubt which it is.
        let progress = assembly.receive(part, now: now)
        assemblies[slot] = assembly
        allDevices[slot].catalogQuery = CatalogQueryReport(
            received: assembly.count,
            total: assembly.announced,
            at: clock.milliseconds(now)
        )
        follow(progress, slot, now: now)
        scheduleAssembly(slot)
    }

    /// One timer a catalog, although each part moves its deadline.
    private mutating func scheduleAssembly(_ slot: Int) {
        guard let deadline = assemblies[slot]?.deadline else { return }
        if let planned = allDevices[slot].queries.assemblyWakeAt, planned <= deadline { return }
        allDevices[slot].queries.assemblyWakeAt = deadline
        schedule(.assembly, slot, at: deadline)
    }

    mutating func advanceAssembly(_ slot: Int, now: NIODeadline) {
        guard var assembly = assemblies[slot] else { return }
        allDevices[slot].queries.assemblyWakeAt = nil
        let progress = assembly.advance(to: now)
        assemblies[slot] = assembly
        follow(progress, slot, now: now)
        scheduleAssembly(slot)
    }

    private mutating func follow(_ progress: CatalogAssembly.Progress, _ slot: Int, now: NIODeadline) {
        switch progress {
        case .pending:
            break
        case .partial(let catalog):
            merge(catalog.items, slot, isComplete: false)
            allDevices[slot].catalog = .incomplete
            allDevices[slot].catalogQuery.fault = Self.missing(catalog)
            publish(slot, isComplete: false)
        case .complete(let catalog):
            assemblies[slot] = nil
            // An empty catalog is no order to delete: some devices answer so while they start.
            merge(catalog.items, slot, isComplete: !catalog.items.isEmpty)
            allDevices[slot].catalog = .complete
            allDevices[slot].queries.failures = 0
            publish(slot, isComplete: true)
            planRoutine(slot, now: now)
        case .expired(let catalog?):
            assemblies[slot] = nil
            merge(catalog.items, slot, isComplete: false)
            allDevices[slot].catalog = .incomplete
            allDevices[slot].catalogQuery.fault = Self.missing(catalog)
            publish(slot, isComplete: false)
            log(
                .warning,
                "catalog-\(allDevices[slot].id)",
                "device \(allDevices[slot].id): catalog incomplete, \(Self.missing(catalog))"
            )
            planRoutine(slot, now: now)
        case .expired(nil):
            assemblies[slot] = nil
            log(.info, "query-\(allDevices[slot].id)", "device \(allDevices[slot].id): no answer to the Catalog query")
            catalogFailed(slot, "no answer", now: now)
        }
    }

    private static func missing(_ catalog: CatalogAssembly.Catalog) -> String {
        "\(catalog.items.count) of \(catalog.sumNum) items came"
    }

    /// Takes items over. What a complete catalog does not list any more stays, offline: other parts of the system name it.
    private mutating func merge(_ items: [CatalogItem], _ slot: Int, isComplete: Bool) {
        var channels = allDevices[slot].channels
        var places: [String: Int] = [:]
        places.reserveCapacity(channels.count + items.count)
        for (place, channel) in channels.enumerated() { places[channel.deviceID] = place }
        if isComplete { for place in channels.indices { channels[place].isOnline = false } }
        for item in items {
            if let place = places[item.deviceID] {
                channels[place] = item
            } else if channels.count < CatalogAssembly.itemLimit {
                places[item.deviceID] = channels.count
                channels.append(item)
            }
        }
        allDevices[slot].channels = channels
    }

    mutating func applyNotification(_ part: CatalogPart, _ slot: Int) {
        for item in part.items {
            let place = allDevices[slot].channels.firstIndex { $0.deviceID == item.deviceID }
            switch (item.event, place) {
            case (.delete, let place?):
                allDevices[slot].channels.remove(at: place)
            case (.on, let place?):
                allDevices[slot].channels[place].isOnline = true
            case (.off, let place?), (.videoLost, let place?), (.defect, let place?):
                allDevices[slot].channels[place].isOnline = false
            case (nil, let place?) where item.name.isEmpty:
                if item.hasStatus { allDevices[slot].channels[place].isOnline = item.isOnline }
            case (_, let place?):
                allDevices[slot].channels[place] = item
            case (.add, nil), (.update, nil), (nil, nil):
                merge([item], slot, isComplete: false)
            case (_, nil):
                break
            }
        }
        publish(slot, isComplete: allDevices[slot].catalog == .complete)
    }

    private mutating func publish(_ slot: Int, isComplete: Bool) {
        let id = allDevices[slot].id
        actions.append(.catalogUpdated(deviceID: id, isComplete: isComplete))
        actions.append(.persistDevice(deviceID: id))
    }
}

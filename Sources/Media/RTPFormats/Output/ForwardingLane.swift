import NIOCore
import Wire

/// One media of a forwarder: its numbers, its access units, and the packets that wait for what they begin.
struct ForwardingLane: Sendable {
    private static let largestHeldCount = 16
    private static let largestHeldBytes = 64 << 10
    /// Numbers that fall by more are another sequence, not packets that come late.
    private static let largestMisorder = 1000
    /// How often a payload that tells nothing is taken for one to begin with.
    private static let guessInterval = TimeAmount.seconds(1)
    /// Timestamps that step further have jumped.
    private static let largestStep = 10

    struct Format: Sendable {
        var payloadType: UInt8
        var payload: ForwardedPayload
    }

    /// What becomes of a packet.
    enum Verdict: Equatable {
        case held
        /// Append it, behind what was held if `startsAccessUnit`.
        case append(startsAccessUnit: Bool, isRandomAccess: Bool)
    }

    let clockRate: Int
    private let formats: [Format]
    /// Readers begin at access units of this media.
    let isLead: Bool
    private(set) var sender: RTPSender
    /// The publisher's SSRC; nil before the first packet.
    private(set) var publisher: UInt32?

    // Numbers.
    /// What a publisher's number has to be moved by, and what that was before the number where it changed last.
    private var shift: UInt16 = 0
    private var before: (number: UInt16, shift: UInt16)?
    private var highest: UInt16 = 0
    /// Each packet has the same number: ours count for it.
    private var isUncounted = false
    /// The next number of ours.
    private(set) var next: UInt16

    // Time.
    /// The timestamp of ours that belongs to the forwarder's first packet.
    private var initialTimestamp: UInt32
    private(set) var timestampShift: UInt32 = 0
    private var latestRaw: UInt32 = 0
    private(set) var latest: NIODeadline?
    /// Ticks since the first packet, unwrapped: with `timeBase` they make timestamps of ours.
    private(set) var time: Int64 = 0
    private(set) var timeBase: UInt32 = 0
    /// The same, without jumps, and where it began in milliseconds.
    private var figure: Int64 = 0
    private var figureStart: Int64 = 0
    var report: PublisherReport?
    var anchor = RTPReportAnchor()

    // Access units.
    private var current: UInt32?
    private var hasEnded = false
    private var held = ByteBuffer()
    private var heldCount = 0
    private var heldHasParameterSets = false
    private var lastGuess: NIODeadline?

    init(
        _ media: RTPMedia,
        index: Int,
        isLead: Bool,
        ssrc: UInt32,
        sequenceNumber: UInt16,
        timestamp: UInt32
    ) {
        formats = media.formats.map {
            Format(payloadType: $0.payloadType, payload: ForwardedPayload($0, kind: media.kind))
        }
        // A clock rate that nothing tells: of use for figures only.
        let rate = media.formats.first?.clockRate ?? 0
        clockRate = (1...1 << 24).contains(rate) ? rate : 90_000
        self.isLead = isLead
        sender = RTPSender(
            channel: InterleavedFrame.channel(ofMedia: index),
            payloadType: media.formats.first?.payloadType ?? 0,
            ssrc: ssrc,
            sequenceNumber: sequenceNumber
        )
        next = sequenceNumber
        initialTimestamp = timestamp
    }

    /// Where a reader's packets would begin that starts with this packet, or with those held before it.
    func start(of header: RTPPacket) -> RTPStart {
        RTPStart(
            sequenceNumber: isUncounted ? next : first(of: header).sequenceNumber &+ shift,
            timestamp: header.timestamp &+ timestampShift
        )
    }

    /// The first of those held, else the packet itself.
    private func first(of header: RTPPacket) -> RTPPacket {
        let bytes = held.readableBytesSpan
        guard let length = bytes.uint32(at: 0) else { return header }
        return RTPPacket(bytes.extracting(4..<4 &+ Int(length))) ?? header
    }

    /// The timestamp of ours that belongs to `now`, by arrival.
    func timestamp(at now: NIODeadline, epoch: NIODeadline) -> UInt32 {
        guard let latest else {
            return initialTimestamp &+ RTPTicks.ticks(ofNanoseconds: (now - epoch).nanoseconds, clockRate: clockRate)
        }
        return latestRaw &+ timestampShift
            &+ RTPTicks.ticks(ofNanoseconds: (now - latest).nanoseconds, clockRate: clockRate)
    }

    /// The timestamp of ours at the moment of `timestamp` of another media, as the publisher's reports have it.
    func timestamp(besides timestamp: UInt32, of other: ForwardingLane) -> UInt32? {
        guard let own = validReport, let reference = other.validReport else { return nil }
        let ticks = Int64(Int32(bitPattern: timestamp &- other.timestampShift &- reference.timestamp))
        let moment =
            reference.wallClock.nanoseconds
            &+ RTPTicks.convert(ticks, from: other.clockRate, to: 1_000_000_000)
        let distance = moment &- own.wallClock.nanoseconds
        return own.timestamp &+ timestampShift &+ RTPTicks.ticks(ofNanoseconds: distance, clockRate: clockRate)
    }

    /// Timestamps go on from here: what belongs to the forwarder's first packet.
    mutating func continueTimestamps(from timestamp: UInt32) {
        initialTimestamp = timestamp
    }

    var latestTimestamp: UInt32 { latestRaw &+ timestampShift }

    /// Milliseconds of media since the forwarder began.
    var milliseconds: Int64 { figureStart &+ RTPTicks.convert(figure, from: clockRate, to: 1000) }

    /// Whether the publisher's report fits its packets: some cameras' timestamps in reports are of another clock (67).
    var validReport: PublisherReport? {
        guard let report, let latest, report.ssrc == nil || report.ssrc == publisher else { return nil }
        let expected =
            report.timestamp
            &+ RTPTicks.ticks(ofNanoseconds: (latest - report.time).nanoseconds, clockRate: clockRate)
        let distance = Int32(bitPattern: latestRaw &- expected).magnitude
        return Int(distance) <= Self.largestStep &* clockRate ? report : nil
    }

    private func payload(of type: UInt8) -> ForwardedPayload {
        for format in formats where format.payloadType == type { return format.payload }
        return formats.first?.payload ?? .other
    }

    /// Takes notice of a packet: its number, time and access unit.
    mutating func receive(_ header: RTPPacket, _ packet: RawSpan, now: NIODeadline, epoch: NIODeadline) -> Verdict {
        if publisher != header.ssrc {
            restart(header, now: now, epoch: epoch)
        } else if !isUncounted {
            let step = Int16(bitPattern: header.sequenceNumber &- highest)
            if step > 0 {
                highest = header.sequenceNumber
            } else if step == 0, header.timestamp != latestRaw {
                isUncounted = true
            } else if Int(step) < -Self.largestMisorder {
                restartNumbers(at: header.sequenceNumber)
            } else {
                return .append(startsAccessUnit: false, isRandomAccess: false)
            }
        }
        advance(header.timestamp, now: now)

        let sign = payload(of: header.payloadType).sign(packet.extracting(header.payload))
        let isNew = current != header.timestamp || (hasEnded && sign?.beginsPicture ?? false)
        guard isNew else {
            hasEnded = header.marker
            return .append(startsAccessUnit: false, isRandomAccess: false)
        }
        if sign?.kind == .undecided {
            // What follows is looked at again, also where too much would have to wait.
            current = nil
            if heldCount < Self.largestHeldCount, held.readableBytes &+ packet.byteCount <= Self.largestHeldBytes {
                hold(packet, hasParameterSets: sign?.hasParameterSets ?? false)
                return .held
            }
            hasEnded = header.marker
            return .append(startsAccessUnit: true, isRandomAccess: false)
        }
        current = header.timestamp
        hasEnded = header.marker
        return .append(startsAccessUnit: true, isRandomAccess: isLead && isRandomAccess(sign, now: now))
    }

    private mutating func isRandomAccess(_ sign: ForwardedPayload.Sign?, now: NIODeadline) -> Bool {
        switch sign?.kind {
        case .randomAccess: return true
        case .intra: return heldHasParameterSets || sign?.hasParameterSets == true
        case .ordinary, .undecided: return false
        case nil:
            if let lastGuess, now - lastGuess < Self.guessInterval { return false }
            lastGuess = now
            return true
        }
    }

    /// Another source: our numbers go on, and our timestamps with the clock.
    private mutating func restart(_ header: RTPPacket, now: NIODeadline, epoch: NIODeadline) {
        let isFirst = publisher == nil
        publisher = header.ssrc
        restartNumbers(at: header.sequenceNumber)
        restartTime(at: header.timestamp, now: now, epoch: epoch)
        if isFirst {
            figureStart = (now - epoch).nanoseconds / 1_000_000
            timeBase = header.timestamp &+ timestampShift
        }
        current = nil
        hasEnded = false
    }

    private mutating func restartNumbers(at number: UInt16) {
        highest = number
        shift = next &- number
        before = nil
        isUncounted = false
        // What is held has numbers of the sequence before.
        discardHeld()
    }

    private mutating func restartTime(at raw: UInt32, now: NIODeadline, epoch: NIODeadline) {
        var wanted = timestamp(at: now, epoch: epoch)
        if let latest, now <= latest { wanted &+= UInt32(truncatingIfNeeded: clockRate / 50) }
        if latest != nil {
            advanceTime(by: Int64(Int32(bitPattern: wanted &- latestTimestamp)), isJump: false, now: now)
        }
        timestampShift = wanted &- raw
        latestRaw = raw
        latest = now
    }

    private mutating func advance(_ raw: UInt32, now: NIODeadline) {
        let step = Int64(Int32(bitPattern: raw &- latestRaw))
        advanceTime(by: step, isJump: step.magnitude > UInt64(Self.largestStep &* clockRate), now: now)
        latestRaw = raw
        latest = now
    }

    private mutating func advanceTime(by step: Int64, isJump: Bool, now: NIODeadline) {
        time &+= step
        guard isJump, let latest else {
            figure &+= step
            return
        }
        figure &+= Int64(RTPTicks.ticks(ofNanoseconds: (now - latest).nanoseconds, clockRate: clockRate))
    }

    // MARK: Packets

    private mutating func hold(_ packet: RawSpan, hasParameterSets: Bool) {
        held.writeInteger(UInt32(truncatingIfNeeded: packet.byteCount))
        unsafe packet.withUnsafeBytes { _ = unsafe held.writeBytes($0) }
        heldCount &+= 1
        if hasParameterSets { heldHasParameterSets = true }
    }

    private mutating func discardHeld() {
        held.clear()
        heldCount = 0
        heldHasParameterSets = false
    }

    /// Appends the packet; what is held goes before it when it begins an access unit.
    ///
    /// - Parameter parameterSets: units that go in front of an access unit that has none of its own.
    mutating func append(
        _ header: RTPPacket,
        _ packet: RawSpan,
        startsAccessUnit: Bool,
        parameterSets: RTPForwarder.ParameterSets?,
        counts: inout RTPForwarder.Counts,
        into buffer: inout ByteBuffer
    ) {
        if startsAccessUnit {
            if let parameterSets { insert(parameterSets, before: header, packet, into: &buffer) }
            if heldCount > 0 { release(counts: &counts, into: &buffer) }
        }
        write(header, packet, counts: &counts, into: &buffer)
    }

    private mutating func insert(
        _ parameterSets: RTPForwarder.ParameterSets,
        before header: RTPPacket,
        _ packet: RawSpan,
        into buffer: inout ByteBuffer
    ) {
        let payload = payload(of: header.payloadType)
        switch (payload, parameterSets.codec) {
        case (.h264, .h264), (.h265(hasOrderNumbers: false), .h265): break
        default: return
        }
        guard !heldHasParameterSets,
            payload.sign(packet.extracting(header.payload))?.hasParameterSets == false
        else { return }
        let first = first(of: header)
        let start = isUncounted ? next : first.sequenceNumber &+ shift
        sender.sequenceNumber = start
        sender.payloadType = first.payloadType
        parameterSets.units.withSpan {
            sender.append(
                units: $0,
                of: parameterSets.codec,
                timestamp: first.timestamp &+ timestampShift,
                endsAccessUnit: false,
                into: &buffer
            )
        }
        let inserted = sender.sequenceNumber &- start
        before = (first.sequenceNumber, shift)
        shift &+= inserted
        next = sender.sequenceNumber
    }

    private mutating func release(counts: inout RTPForwarder.Counts, into buffer: inout ByteBuffer) {
        // Out of the way of `write`, and back: its storage is kept.
        var packets = ByteBuffer()
        swap(&packets, &held)
        write(held: packets.readableBytesSpan, counts: &counts, into: &buffer)
        swap(&packets, &held)
        discardHeld()
    }

    private mutating func write(held bytes: RawSpan, counts: inout RTPForwarder.Counts, into buffer: inout ByteBuffer) {
        var at = 0
        while let length = bytes.uint32(at: at) {
            let packet = bytes.extracting(at &+ 4..<at &+ 4 &+ Int(length))
            if let header = RTPPacket(packet) { write(header, packet, counts: &counts, into: &buffer) }
            at &+= 4 &+ Int(length)
        }
    }

    @inline(__always)
    private mutating func write(
        _ header: RTPPacket,
        _ packet: RawSpan,
        counts: inout RTPForwarder.Counts,
        into buffer: inout ByteBuffer
    ) {
        var number = header.sequenceNumber &+ shift
        if isUncounted {
            number = next
        } else if let before, Int16(bitPattern: header.sequenceNumber &- before.number) < 0 {
            number = header.sequenceNumber &+ before.shift
        }
        sender.sequenceNumber = number
        let timestamp = header.timestamp &+ timestampShift
        if packet.byteCount <= RTPSender.largestDatagram {
            sender.relay(packet, payloadLength: header.payload.count, timestamp: timestamp, into: &buffer)
        } else {
            writeLarge(header, packet, timestamp: timestamp, counts: &counts, into: &buffer)
            let used = sender.sequenceNumber &- number
            if used != 1, !isUncounted {
                before = (header.sequenceNumber &+ 1, shift)
                shift &+= used &- 1
            }
        }
        if Int16(bitPattern: sender.sequenceNumber &- next) > 0 { next = sender.sequenceNumber }
    }

    private mutating func writeLarge(
        _ header: RTPPacket,
        _ packet: RawSpan,
        timestamp: UInt32,
        counts: inout RTPForwarder.Counts,
        into buffer: inout ByteBuffer
    ) {
        sender.payloadType = header.payloadType
        let payload = payload(of: header.payloadType)
        if sender.cut(packet, header, payload, timestamp: timestamp, into: &buffer) {
            counts.refragmented &+= 1
        } else {
            counts.oversized &+= 1
            sender.relay(packet, payloadLength: header.payload.count, timestamp: timestamp, into: &buffer)
        }
    }
}

import NIOCore

/// The packets of one PES packet, written in place.
enum TSPacket {
    static let length = 188
    /// What is left behind the four bytes of the header.
    static let room = 184

    /// What the adaptation field of the first packet says.
    struct Adaptation {
        /// In 1/90000 s, unwrapped.
        var pcr: Int64?
        var isRandomAccess = false
        var isDiscontinuity = false

        /// The bytes of the field with its length, without stuffing.
        var count: Int { pcr != nil ? 8 : isRandomAccess || isDiscontinuity ? 2 : 0 }

        fileprivate var flags: UInt8 {
            (isDiscontinuity ? 0x80 : 0) | (isRandomAccess ? 0x40 : 0) | (pcr != nil ? 0x10 : 0)
        }
    }

    /// How `total` bytes of a PES packet lie in packets: the first has less room for its adaptation field, the last is stuffed.
    struct Layout {
        let packets: Int
        /// Bytes of the PES packet in the first and in the last packet.
        let first: Int
        let last: Int

        init(total: Int, adaptation: Int) {
            let room = TSPacket.room &- adaptation
            guard total > room else {
                packets = 1
                first = total
                last = total
                return
            }
            let rest = total &- room
            packets = 1 &+ (rest &+ TSPacket.room &- 1) / TSPacket.room
            first = room
            last = rest &- (packets &- 2) &* TSPacket.room
        }

        /// The bytes of the PES packet in a packet.
        @inline(__always)
        func count(in packet: Int) -> Int {
            packet == 0 ? first : packet == packets &- 1 ? last : TSPacket.room
        }

        /// Where the byte at `offset` of the PES packet lies.
        @inline(__always)
        func position(of offset: Int) -> Int {
            guard offset >= first else { return TSPacket.length &- first &+ offset }
            let rest = offset &- first
            let packet = 1 &+ rest / TSPacket.room
            return packet &* TSPacket.length &+ TSPacket.length &- count(in: packet) &+ rest % TSPacket.room
        }
    }

    /// A packet of nothing but a PCR. It does not count: its continuity counter is that of the packet before (2.4.3.3).
    static func writeClock(_ adaptation: Adaptation, id: UInt16, counter: UInt8, into bytes: inout ByteBuffer) {
        unsafe bytes.writeWithUnsafeMutableBytes(minimumWritableBytes: length) { raw in
            guard let base = raw.baseAddress else { return 0 }
            unsafe writeHeader(id, starts: false, counter: (counter &- 1) & 0x0F, count: 0, adaptation, to: base)
            return length
        }
    }

    /// Appends a PES packet.
    ///
    /// - Parameters:
    ///   - head: its header, and what comes before the payload.
    ///   - annexB: the payload is NAL units behind 4-byte lengths, which become start codes.
    static func write(
        head: [UInt8],
        payload: RawSpan,
        annexB: Bool,
        adaptation: Adaptation,
        id: UInt16,
        counter: inout UInt8,
        into bytes: inout ByteBuffer
    ) {
        let total = head.count &+ payload.byteCount
        let layout = Layout(total: total, adaptation: adaptation.count)
        let size = layout.packets &* length
        let firstCounter = counter
        unsafe bytes.writeWithUnsafeMutableBytes(minimumWritableBytes: size) { raw in
            guard let target = raw.baseAddress, raw.count >= size else { return 0 }
            unsafe head.withUnsafeBytes { head in
                unsafe payload.withUnsafeBytes { payload in
                    unsafe copy(head, payload, layout, adaptation, id, firstCounter, to: target)
                    if annexB { unsafe writeStartCodes(payload, behind: head.count, layout, to: target) }
                }
            }
            return size
        }
        counter = UInt8(truncatingIfNeeded: Int(counter) &+ layout.packets) & 0x0F
    }

    private static func copy(
        _ head: UnsafeRawBufferPointer,
        _ payload: UnsafeRawBufferPointer,
        _ layout: Layout,
        _ adaptation: Adaptation,
        _ id: UInt16,
        _ counter: UInt8,
        to target: UnsafeMutableRawPointer
    ) {
        var fromHead = 0
        var fromPayload = 0
        var counter = counter
        for packet in 0..<layout.packets {
            let base = unsafe target + packet &* length
            let count = layout.count(in: packet)
            if packet > 0, count == room {
                // The common case, without any field.
                let word: UInt32 = 0x4700_0010 | UInt32(id) << 8 | UInt32(counter)
                unsafe base.storeBytes(of: word.bigEndian, as: UInt32.self)
            } else {
                let first = packet == 0 ? adaptation : Adaptation()
                unsafe writeHeader(id, starts: packet == 0, counter: counter, count: count, first, to: base)
            }
            counter = (counter &+ 1) & 0x0F
            var to = unsafe base + (length &- count)
            var left = count
            if fromHead < head.count, let source = head.baseAddress {
                let piece = min(left, head.count &- fromHead)
                unsafe to.copyMemory(from: source + fromHead, byteCount: piece)
                fromHead &+= piece
                unsafe to += piece
                left &-= piece
            }
            if left > 0, let source = payload.baseAddress {
                unsafe to.copyMemory(from: source + fromPayload, byteCount: left)
                fromPayload &+= left
            }
        }
    }

    /// The lengths were copied like everything else; they may lie across the border of two packets.
    private static func writeStartCodes(
        _ payload: UnsafeRawBufferPointer,
        behind offset: Int,
        _ layout: Layout,
        to target: UnsafeMutableRawPointer
    ) {
        var at = 0
        while at &+ 4 <= payload.count {
            let length = unsafe Int(UInt32(bigEndian: payload.loadUnaligned(fromByteOffset: at, as: UInt32.self)))
            for byte in 0..<4 {
                let position = layout.position(of: offset &+ at &+ byte)
                unsafe target.storeBytes(of: byte == 3 ? 1 : 0, toByteOffset: position, as: UInt8.self)
            }
            at = at &+ 4 &+ length
        }
    }

    /// Header and adaptation field, which is as long as `count` bytes of payload leave room for (2.4.3.2 to 2.4.3.5).
    private static func writeHeader(
        _ id: UInt16,
        starts: Bool,
        counter: UInt8,
        count: Int,
        _ adaptation: Adaptation,
        to base: UnsafeMutableRawPointer
    ) {
        let field = room &- count
        let control: UInt32 = (field > 0 ? 0x20 : 0) | (count > 0 ? 0x10 : 0)
        let word = 0x4700_0000 | (starts ? 0x40_0000 : 0) | UInt32(id) << 8 | control | UInt32(counter)
        unsafe base.storeBytes(of: word.bigEndian, as: UInt32.self)
        guard field > 0 else { return }
        unsafe base.storeBytes(of: UInt8(truncatingIfNeeded: field &- 1), toByteOffset: 4, as: UInt8.self)
        guard field > 1 else { return }
        unsafe base.storeBytes(of: adaptation.flags, toByteOffset: 5, as: UInt8.self)
        var used = 2
        if let pcr = adaptation.pcr {
            // 33 bits of 90 kHz, six reserved ones, nine bits of 27 MHz that are always 0.
            let clock = UInt64(bitPattern: pcr) & 0x1_FFFF_FFFF
            let high = UInt32(truncatingIfNeeded: clock >> 1)
            let low = UInt16(truncatingIfNeeded: clock << 15) | 0x7E00
            unsafe base.storeBytes(of: high.bigEndian, toByteOffset: 6, as: UInt32.self)
            unsafe base.storeBytes(of: low.bigEndian, toByteOffset: 10, as: UInt16.self)
            used = 8
        }
        guard field > used else { return }
        unsafe (base + 4 + used).initializeMemory(as: UInt8.self, repeating: 0xFF, count: field &- used)
    }
}

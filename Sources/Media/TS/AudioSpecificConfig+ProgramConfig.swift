import Wire

extension AudioSpecificConfig {
    /// The program_config_element of a configuration without a number for its channels, as a raw_data_block of ADTS begins with
    /// it: with its identifier and without its comment (ISO/IEC 14496-3 4.4.1, 4.4.1.1). Nil when there is none.
    static func programConfig(of configuration: [UInt8]) -> [UInt8]? {
        var reader = BitReader(configuration)
        guard var type = reader.bits(5), reader.skipRate(), let channels = reader.bits(4), channels == 0 else {
            return nil
        }
        if type == 5 || type == 29 {
            guard reader.skipRate(), let inner = reader.bits(5) else { return nil }
            type = inner
        }
        // frameLengthFlag, dependsOnCoreCoder, extensionFlag.
        guard (1...4).contains(type), reader.bits(1) != nil, let hasDelay = reader.flag(),
            reader.skip(hasDelay ? 15 : 1)
        else { return nil }
        let start = reader.position
        // Tag, object type, rate.
        guard reader.skip(10), let front = reader.bits(4), let side = reader.bits(4), let back = reader.bits(4),
            let lowFrequency = reader.bits(2), let data = reader.bits(3), let coupling = reader.bits(4)
        else { return nil }
        for length in [4, 4, 3] {
            guard let isPresent = reader.flag(), reader.skip(isPresent ? length : 0) else { return nil }
        }
        guard reader.skip(Int(front + side + back + coupling) * 5 + Int(lowFrequency + data) * 4) else { return nil }
        return element(reader.copy(from: start), bits: reader.position - start)
    }

    /// ID_PCE, the bits, zeros up to a byte and an empty comment.
    private static func element(_ bytes: [UInt8], bits: Int) -> [UInt8] {
        var element: [UInt8] = []
        var last: UInt8 = 0b101 << 5
        for byte in bytes {
            element.append(last | byte >> 3)
            last = byte << 5
        }
        if bits % 8 == 0 || bits % 8 > 5 { element.append(last) }
        return element + [0]
    }
}

extension BitReader {
    /// samplingFrequencyIndex, with the frequency itself behind the last of them.
    fileprivate mutating func skipRate() -> Bool {
        guard let index = bits(4) else { return false }
        return index < 15 || skip(24)
    }
}

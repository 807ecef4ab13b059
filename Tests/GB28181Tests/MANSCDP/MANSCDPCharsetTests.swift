import GB28181
import Testing

struct MANSCDPCharsetTests {
    /// Names that must come through: common, in GB18030 alone (a four-byte character), mixed with ASCII.
    private static let names = ["大门", "停车场东南角高清球机", "㐂楼道", "A栋-1层(北)", "Gate 1"]
    private static let declarations = [
        "", "<?xml version=\"1.0\"?>", "<?xml version=\"1.0\" encoding=\"GB2312\"?>",
        "<?xml version='1.0' encoding='gb18030'?>", "<?xml version=\"1.0\" encoding=\"UTF-8\"?>",
        "<?xml version=\"1.0\" encoding=\"ISO-8859-1\"?>",
    ]

    private static func body(_ declaration: String, name: [UInt8]) -> [UInt8] {
        Array(
            "\(declaration)\n<Response><CmdType>DeviceInfo</CmdType><SN>1</SN><DeviceID>1</DeviceID><DeviceName>".utf8
        )
            + name + Array("</DeviceName></Response>\n".utf8)
    }

    @Test("R-30: names survive each charset under each declaration, true or not", arguments: names, declarations)
    func readsNamesUnderLyingDeclarations(name: String, declaration: String) throws {
        for charset in [Charset.utf8, .gb2312, .gb18030] {
            let document = try ManscdpDocument.parse(Self.body(declaration, name: charset.encode(name)))
            guard case .deviceInfoResponse(let info) = document.message else {
                Issue.record("\(document.message)")
                continue
            }
            #expect(info.name == name, "\(charset) under '\(declaration)'")
            #expect(!document.isRepaired)
        }
    }

    @Test func writesTheBytesOfGBK() {
        #expect(Charset.gb2312.encode("大门") == [0xB4, 0xF3, 0xC3, 0xC5])
        #expect(Charset.utf8.encode("大") == [0xE5, 0xA4, 0xA7])
        #expect(Charset.gb18030.encode("abc") == Array("abc".utf8))
    }

    @Test func believesTheDeclarationOfGBKThatIsAlsoValidUTF8() throws {
        // CB A7 (帅) and C4 AA (莫) are GBK, and two Latin letters of UTF-8.
        let bytes: [UInt8] = [0xCB, 0xA7, 0xC4, 0xAA]
        #expect(String(validating: bytes, as: UTF8.self) != nil)
        let declared = try ManscdpMessage.parse(Self.body("<?xml version=\"1.0\" encoding=\"GB2312\"?>", name: bytes))
        guard case .deviceInfoResponse(let info) = declared else { return #expect(Bool(false), "\(declared)") }
        #expect(info.name == "帅莫")
    }

    @Test func skipsAByteOrderMark() throws {
        let body = [0xEF, 0xBB, 0xBF] + Self.body("<?xml version=\"1.0\" encoding=\"GB2312\"?>", name: Array("门".utf8))
        let document = try ManscdpDocument.parse(body)
        #expect(document.charset == .utf8)
        #expect(!document.isRepaired)
    }

    @Test func tellsInWhichCharsetTheDeviceWrites() throws {
        let gbk = try ManscdpDocument.parse(Self.body("<?xml version=\"1.0\"?>", name: Charset.gb2312.encode("大门东侧")))
        #expect(gbk.charset == .gb2312)
        let lying = try ManscdpDocument.parse(
            Self.body("<?xml version=\"1.0\" encoding=\"GB2312\"?>", name: Array("大门东侧".utf8))
        )
        #expect(lying.charset == .utf8)
        let modern = try ManscdpDocument.parse(
            Self.body("<?xml version=\"1.0\" encoding=\"GB18030\"?>", name: Charset.gb18030.encode("大门东侧"))
        )
        #expect(modern.charset == .gb18030)
    }

    @Test func readsAnNVRThatMixesCharsetsInOneList() throws {
        var body = Array(
            "<Response><CmdType>Catalog</CmdType><SN>1</SN><DeviceID>1</DeviceID><SumNum>2</SumNum><DeviceList>".utf8
        )
        for (id, name) in [("11", Array("大门口".utf8)), ("12", Charset.gb2312.encode("后院停车场"))] {
            body += Array("<Item><DeviceID>\(id)</DeviceID><Name>".utf8) + name + Array("</Name></Item>".utf8)
        }
        body += Array("</DeviceList></Response>".utf8)
        guard case .catalogResponse(let part) = try ManscdpMessage.parse(body) else { return #expect(Bool(false)) }
        #expect(part.items.map(\.name) == ["大门口", "后院停车场"])
    }

    @Test func dropsTheHalfOfACharacterThatTruncationLeft() throws {
        // Vendors cut UTF-8 names at a byte count.
        var body = Array(
            "<Response><CmdType>Catalog</CmdType><SN>1</SN><DeviceID>1</DeviceID><SumNum>2</SumNum><DeviceList>".utf8
        )
        body += Array("<Item><DeviceID>11</DeviceID><Name>停车场东".utf8).dropLast()
        body += Array("</Name></Item><Item><DeviceID>12</DeviceID><Name>大门</Name></Item></DeviceList></Response>".utf8)
        let document = try ManscdpDocument.parse(body)
        guard case .catalogResponse(let part) = document.message else { return #expect(Bool(false)) }
        #expect(part.items.map(\.name) == ["停车场", "大门"])
        #expect(document.isRepaired)
    }
}

import GB28181
import Testing

struct MANSCDPRepairTests {
    private func item(_ id: Int, _ inner: String = "<Name>n</Name>") -> String {
        "<Item><DeviceID>3402000000131000000\(id)</DeviceID>\(inner)</Item>"
    }

    private func catalog(_ items: String, tail: String = "</DeviceList></Response>") -> [UInt8] {
        Array(
            """
            <?xml version="1.0" encoding="GB2312"?>
            <Response><CmdType>Catalog</CmdType><SN>17</SN><DeviceID>34020000001180000001</DeviceID>
            <SumNum>3</SumNum><DeviceList Num="3">\(items)\(tail)
            """.utf8
        )
    }

    private func parse(_ body: [UInt8]) throws -> CatalogPart {
        let message = try ManscdpMessage.parse(body)
        guard case .catalogResponse(let part) = message else {
            throw ManscdpError.notManscdp(root: "\(message)")
        }
        return part
    }

    private func ids(_ part: CatalogPart) -> [String] {
        part.items.map { String($0.deviceID.suffix(1)) }
    }

    @Test(
        "R-28, R-29: one malformed item does not cost the others",
        arguments: [
            "<Name>n</Name></Item>",
            "<Name>n</Name></Item></Item>",
            "<Name>a & b</Name>",
            "<Name>a &nbsp; b</Name>",
            "<Name>a < b</Name>",
            "<Name>no end",
            "<Name>n</Nam></Name>",
            "<Name n=\"x>n</Name>",
            "<Name>n</name>",
            "<Info><PTZType>1</Info>",
            "<Info><PTZType>1</PTZType>",
            "</Address><Name>n</Name>",
            "<Address>\u{1}\u{2}\u{8}x</Address>",
            "<1bad>n</1bad>",
            "<Name>&#0;n</Name>",
            "<Name>]]>n</Name>",
            "<Name><!-- n </Name-->n</Name>",
            "<Name><![CDATA[a<b]]></Name>",
        ]
    )
    func keepsTheOtherItems(inner: String) throws {
        let part = try parse(catalog(item(1) + item(2, inner) + item(3)))
        #expect(ids(part) == ["1", "2", "3"])
        #expect(part.items.last?.name == "n")
        #expect(part.sumNum == 3)
    }

    @Test("R-29: every item closed twice, as Hikvision NVRs do")
    func readsItemsThatAreAllClosedTwice() throws {
        let part = try parse(catalog((1...9).map { item($0, "<Name>n</Name></Item>") }.joined()))
        #expect(ids(part) == (1...9).map(String.init))
        #expect(part.isRepaired)
    }

    @Test func keepsItemsWhoseEndTagIsMissing() throws {
        let open = "<Item><DeviceID>34020000001310000002</DeviceID><Name>n</Name>"
        #expect(ids(try parse(catalog(item(1) + open + item(3)))) == ["1", "2", "3"])
    }

    @Test("R-29: garbage bytes in Address")
    func dropsAnAddressOfGarbageBytes() throws {
        var body = catalog(item(1) + "<Item><DeviceID>34020000001310000002</DeviceID><Name>门</Name><Address>")
        body = Array(body.dropLast("</DeviceList></Response>".utf8.count))
        body += [0x41, 0xFF, 0x00, 0x03, 0x80, 0x26, 0xFE]
        body += Array("</Address></Item>\(item(3))</DeviceList></Response>".utf8)
        let part = try parse(body)
        #expect(ids(part) == ["1", "2", "3"])
        #expect(part.items[1].address.isEmpty)
        #expect(part.items[1].name == "门")
        #expect(part.isRepaired)
    }

    @Test(
        "R-29: what follows the root is cut",
        arguments: ["\0", "\0\0\0\r\n", "garbage", "<Response>", "</Response>", "\u{7}x\0"]
    )
    func cutsWhatFollowsTheRoot(tail: String) throws {
        #expect(ids(try parse(catalog(item(1) + item(2)) + Array(tail.utf8))) == ["1", "2"])
    }

    @Test func keepsTheItemsOfATruncatedBody() throws {
        let body = catalog(item(1) + item(2) + item(3), tail: "")
        let part = try parse(Array(body.dropLast(30)))
        #expect(ids(part).starts(with: ["1", "2"]))
    }

    @Test func survivesTruncationAtEveryByte() {
        let body = catalog(item(1, "<Name>门 &amp; <![CDATA[x]]></Name><!-- c -->") + item(2))
        var read = 0
        for end in 0...body.count {
            if (try? ManscdpDocument.parse(Array(body[..<end]))) != nil { read += 1 }
        }
        #expect(read > body.count / 2)
    }

    @Test func survivesEveryByteReplacedByAnyOther() {
        let body = Array("<Notify><CmdType>Keepalive</CmdType><SN>1</SN><DeviceID>1</DeviceID></Notify>".utf8)
        var read = 0
        for index in body.indices {
            for byte in [0, 0x0A, 0x20, 0x26, 0x2F, 0x3C, 0x3E, 0x80, 0xC3, 0xFF] as [UInt8] {
                var changed = body
                changed[index] = byte
                if (try? ManscdpDocument.parse(changed)) != nil { read += 1 }
            }
        }
        #expect(read > 0)
    }

    @Test(arguments: [
        "<!DOCTYPE Notify [<!ENTITY a \"b\">]><Notify><CmdType>Keepalive</CmdType><SN>&a;</SN></Notify>",
        "<!DOCTYPE Notify SYSTEM \"file:///etc/passwd\"><Notify><CmdType>Keepalive</CmdType></Notify>",
        "<?xml version=\"1.0\"?>\n<!DOCTYPE x><Notify><CmdType>Keepalive</CmdType></Notify>",
    ])
    func refusesADoctype(body: String) {
        #expect(throws: ManscdpError.xml(.doctypeForbidden)) { try ManscdpMessage.parse(Array(body.utf8)) }
    }

    @Test func neverExpandsAnEntityOfADoctypeThatIsHiddenInABrokenBody() throws {
        let body = "<!DOCTYPE x [<!ENTITY a SYSTEM \"file:///etc/hostname\">]<Notify><CmdType>&a;</CmdType></Notify"
        do {
            let message = try ManscdpMessage.parse(Array(body.utf8))
            #expect(message == .unknown(root: .notify, cmdType: "&a;", sn: 0, deviceID: ""))
        } catch {
            #expect(error != .notManscdp(root: ""))
        }
    }

    @Test func refusesTheHugeTheDeepAndTheEmpty() {
        let huge = [UInt8](repeating: 0x41, count: XMLTree.sizeLimit + 1)
        #expect(throws: ManscdpError.xml(.tooLarge(bytes: huge.count, limit: XMLTree.sizeLimit))) {
            try ManscdpMessage.parse(huge)
        }
        for empty in ["", " \r\n", "\0\0", "no xml", "<", "<>", "</a>"] {
            #expect(throws: ManscdpError.self) { try ManscdpMessage.parse(Array(empty.utf8)) }
        }
        let deep = Array((String(repeating: "<a>", count: 100_000)).utf8)
        #expect(throws: ManscdpError.notManscdp(root: "a")) { try ManscdpMessage.parse(deep) }
    }

    @Test func namesARootThatIsNotManscdp() {
        #expect(throws: ManscdpError.notManscdp(root: "html")) { try ManscdpMessage.parse(Array("<html/>".utf8)) }
        #expect(throws: ManscdpError.missing(element: "CmdType", root: "Query")) {
            try ManscdpMessage.parse(Array("<Query><SN>1</SN></Query>".utf8))
        }
    }
}

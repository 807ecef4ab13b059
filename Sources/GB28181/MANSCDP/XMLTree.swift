internal import CLibXML2

/// An element of a MANSCDP body, copied out of libxml2: a plain value.
package struct XMLNode: Hashable, Sendable {
    package var name: String
    /// The element's own text without that of its children, trimmed of white space.
    package var text: String
    package var attributes: [Attribute]
    package var children: [XMLNode]

    package struct Attribute: Hashable, Sendable {
        package var name: String
        package var value: String
    }

    package init(name: String, text: String = "", attributes: [Attribute] = [], children: [XMLNode] = []) {
        self.name = name
        self.text = text
        self.attributes = attributes
        self.children = children
    }

    /// The first child of that name, whatever its case.
    package func child(_ name: String) -> XMLNode? {
        children.first { $0.name.matchesIgnoringCase(name) }
    }

    /// The text of the first child of that name; nil when there is none or it is empty.
    package func text(of name: String) -> String? {
        guard let text = child(name)?.text, !text.isEmpty else { return nil }
        return text
    }

    /// The first element of that name at any depth below, nearest level first: repaired documents may have it elsewhere.
    package func descendant(_ name: String) -> XMLNode? {
        if let child = child(name) { return child }
        for child in children {
            if let found = child.descendant(name) { return found }
        }
        return nil
    }
}

package enum XMLError: Error, Hashable, Sendable {
    case tooLarge(bytes: Int, limit: Int)
    /// A document type declaration: entities and outside files have no place in MANSCDP.
    case doctypeForbidden
    /// Not even the repair found an element.
    case noElement
    case outOfMemory
}

/// A MANSCDP body as a tree: read strictly, and once more with repairs when that fails.
package struct XMLTree: Equatable, Sendable {
    package var root: XMLNode
    package var charset: Charset
    /// Whether the body was not well-formed, or had bytes of no charset: count it for the device.
    package var isRepaired: Bool

    /// Catalogs of 10,000 items may come in one TCP message (annex M); the SIP framer has tighter limits for strangers.
    package static let sizeLimit = 8 << 20
    /// MANSCDP needs six levels. libxml2 itself stops at 256.
    static let depthLimit = 32

    package static func parse(_ body: [UInt8]) throws(XMLError) -> XMLTree {
        guard body.count <= sizeLimit else { throw .tooLarge(bytes: body.count, limit: sizeLimit) }
        let trimmed = body[..<((body.lastIndex { $0 > UInt8(ascii: " ") }).map { $0 + 1 } ?? body.startIndex)]
        guard !trimmed.isEmpty else { throw .noElement }
        let text = TextDecoding.decode(Array(trimmed), declared: declaredCharset(trimmed))
        if let root = try read(text.utf8, options: strict) {
            return XMLTree(root: root, charset: text.charset, isRepaired: text.hasReplacements)
        }
        guard let root = try read(XMLRepair.repair(text.utf8), options: recovering) else { throw .noElement }
        return XMLTree(root: root, charset: text.charset, isRepaired: true)
    }

    /// The encoding that the XML declaration claims, if we know it.
    private static func declaredCharset(_ body: ArraySlice<UInt8>) -> Charset? {
        let head = String(decoding: body.prefix(120), as: UTF8.self)
        guard let end = head.firstRange(of: "?>"), let name = head[..<end.lowerBound].firstRange(of: "encoding") else {
            return nil
        }
        let value = head[name.upperBound..<end.lowerBound].drop { $0 == " " || $0 == "=" }
        guard let quote = value.first, quote == "\"" || quote == "'" else { return nil }
        return Charset(name: String(value.dropFirst().prefix { $0 != quote }))
    }

    // Never NOENT, DTDLOAD, DTDATTR, XINCLUDE or HUGE: nothing outside the body is read, and no entity grows.
    private static let quiet =
        XML_PARSE_NONET.rawValue | XML_PARSE_NOERROR.rawValue | XML_PARSE_NOWARNING.rawValue
        | XML_PARSE_NOBLANKS.rawValue | XML_PARSE_NOCDATA.rawValue
    private static let strict = Int32(quiet)
    private static let recovering = Int32(quiet | XML_PARSE_RECOVER.rawValue)

    /// Nil when the bytes are not well-formed, or with RECOVER when nothing was found.
    private static func read(_ utf8: [UInt8], options: Int32) throws(XMLError) -> XMLNode? {
        _ = initialised
        guard let context = ParserContext() else { throw .outOfMemory }
        let outcome = context.read(utf8, options: options)
        if outcome.sawDoctype { throw .doctypeForbidden }
        return outcome.root
    }

    private static let initialised: Void = xmlInitParser()
}

/// A libxml2 parser for one document, and the document while it is copied.
@safe
private struct ParserContext: ~Copyable {
    private let context: xmlParserCtxtPtr

    init?() {
        guard let created = unsafe xmlNewParserCtxt() else { return nil }
        unsafe context = created
        // The declared subset is reported before anything in it is acted upon: stop there.
        unsafe created.pointee.sax.pointee.internalSubset = { parser, _, _, _ in
            unsafe xmlStopParser(parser?.assumingMemoryBound(to: xmlParserCtxt.self))
        }
    }

    deinit {
        unsafe xmlFreeParserCtxt(context)
    }

    func read(_ utf8: [UInt8], options: Int32) -> (root: XMLNode?, sawDoctype: Bool) {
        // The explicit encoding overrides the declaration, which lies or names what the text was before decoding.
        let document = unsafe utf8.withUnsafeBytes { bytes in
            unsafe xmlCtxtReadMemory(
                context,
                bytes.baseAddress?.assumingMemoryBound(to: CChar.self),
                Int32(clamping: bytes.count),
                nil,
                "UTF-8",
                options
            )
        }
        defer { unsafe xmlFreeDoc(document) }
        let stopped = unsafe context.pointee.errNo == Int32(bitPattern: XML_ERR_USER_STOP.rawValue)
        guard !stopped, let element = unsafe xmlDocGetRootElement(document) else { return (nil, stopped) }
        return (unsafe copy(element, depth: 0), false)
    }

    private func copy(_ element: xmlNodePtr, depth: Int) -> XMLNode {
        var node = unsafe XMLNode(name: string(element.pointee.name))
        var attribute = unsafe element.pointee.properties
        while let current = unsafe attribute {
            unsafe node.attributes.append(
                XMLNode.Attribute(name: string(current.pointee.name), value: text(below: current.pointee.children))
            )
            unsafe attribute = current.pointee.next
        }
        var child = unsafe element.pointee.children
        while let current = unsafe child {
            switch unsafe current.pointee.type {
            case XML_ELEMENT_NODE where depth < XMLTree.depthLimit:
                unsafe node.children.append(copy(current, depth: depth + 1))
            case XML_TEXT_NODE, XML_CDATA_SECTION_NODE:
                unsafe node.text += string(current.pointee.content)
            default: break
            }
            unsafe child = current.pointee.next
        }
        node.text = node.text.trimmed
        return node
    }

    private func text(below first: xmlNodePtr?) -> String {
        guard let first = unsafe first, unsafe first.pointee.type == XML_TEXT_NODE else { return "" }
        return unsafe string(first.pointee.content)
    }

    private func string(_ pointer: UnsafePointer<xmlChar>?) -> String {
        guard let pointer = unsafe pointer else { return "" }
        return unsafe String(cString: pointer)
    }
}

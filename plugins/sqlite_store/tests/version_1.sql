-- A store of version 1 as that version wrote it: eight rows of a journal, a snapshot, and what readers see.
-- Never changed: it stands for the files that desks have. Bodies are written as text, to be read here.
PRAGMA application_id = 1836147827;
PRAGMA user_version = 1;
BEGIN TRANSACTION;
CREATE TABLE desk (
        id INTEGER PRIMARY KEY CHECK (id = 1),
        as_of_sequence INTEGER NOT NULL,
        as_of_ns INTEGER NOT NULL,
        desk_state TEXT NOT NULL,
        desk_reason TEXT NOT NULL,
        run_id TEXT NOT NULL,
        mode TEXT NOT NULL,
        running INTEGER NOT NULL,
        cash TEXT NOT NULL,
        head_sequence INTEGER NOT NULL,
        head_ordinal INTEGER NOT NULL,
        head_rows INTEGER NOT NULL,
        head_hash BLOB NOT NULL
    ) STRICT;
INSERT INTO "desk" VALUES(1,4,40,'ready','recovered','r1','paper',1,'99999',4,1,8,x'1A76EFD80CC7420A5A6F88DE2DC56935908CC0441F026DF7E0BC8D5A34091AE9');
CREATE TABLE differences (
        place INTEGER PRIMARY KEY,
        symbol TEXT NOT NULL UNIQUE,
        state TEXT NOT NULL,
        books TEXT NOT NULL,
        broker TEXT NOT NULL,
        updated_ns INTEGER NOT NULL
    ) STRICT;
CREATE TABLE freezes (
        place INTEGER PRIMARY KEY,
        symbol TEXT NOT NULL,
        code TEXT NOT NULL,
        state TEXT NOT NULL,
        text TEXT NOT NULL,
        updated_ns INTEGER NOT NULL,
        UNIQUE (symbol, code)
    ) STRICT;
CREATE TABLE journal (
        sequence INTEGER NOT NULL,
        ordinal INTEGER NOT NULL,
        kind TEXT NOT NULL,
        body BLOB NOT NULL,
        hash BLOB NOT NULL CHECK (length(hash) = 32),
        PRIMARY KEY (sequence, ordinal)
    ) STRICT;
INSERT INTO "journal" VALUES(1,0,'RunStarted',CAST('{"type":"RunStarted","ts":1,"run_id":"r1","desk_id":"demo","mode":"paper","book":1,"configuration":"c","feed":"f","versions":[],"strategies":[],"protection":"strategy","account":"","assets":[]}' AS BLOB),x'AFA5A3FDFE70574D079D551CE4B4F9738349B3932DFED90870739EA90A3A1904');
INSERT INTO "journal" VALUES(1,1,'DeskMoved',CAST('{"type":"DeskMoved","sequence":1,"ordinal":1,"ts":1,"before":"starting","after":"ready","code":"recovered","text":""}' AS BLOB),x'845530628912BCF00610572106CCF7DD5DB678D6F7CBDC153055C6BAD076DBDC');
INSERT INTO "journal" VALUES(2,1,'Approved',CAST('{"type":"Approved","sequence":2,"ordinal":1,"ts":2,"correlation_id":"c2","client_order_id":"m1-demo-2","strategy_id":"vwap","symbol":"SPHD","purpose":"entry","side":"buy","order_type":"limit","time_in_force":"day","quantity":"2.123456789","notional":null,"limit_price":"41.25","stop_price":null,"reference_price":"41.2"}' AS BLOB),x'C3D3B92E87A4C798B365087DFD17ADF7B44BC16BB82D3BCE161F66D73D27B9E9');
INSERT INTO "journal" VALUES(2,2,'OrderMoved',CAST('{"type":"OrderMoved","sequence":2,"ordinal":2,"ts":2,"correlation_id":"c2","client_order_id":"m1-demo-unknown","broker_order_id":"b-m1-demo-unknown","symbol":"SPHD","before":"working","after":"filled","cumulative":"2.123456789","request":"none","code":"","text":""}' AS BLOB),x'D494E6A3E0DBD5EACF6674D2086E31D75E90FDA115A92A2BCE5460218A6030AA');
INSERT INTO "journal" VALUES(3,0,'Fill',CAST('{"type":"Fill","ts":3,"client_order_id":"m1-demo-2","broker_order_id":"b2","symbol":"SPHD","side":"buy","quantity":"2.123456789","price":"41.24","cumulative_quantity":"2.123456789","fee":"0","execution_id":""}' AS BLOB),x'AB11FDBD931BCBCD9A5F5B05D5DD114D9D714E6E42DE2F7A057C9BC1977A4D53');
INSERT INTO "journal" VALUES(3,1,'OrderMoved',CAST('{"type":"OrderMoved","sequence":3,"ordinal":1,"ts":3,"correlation_id":"c3","client_order_id":"m1-demo-2","broker_order_id":"b-m1-demo-2","symbol":"SPHD","before":"working","after":"filled","cumulative":"2.123456789","request":"none","code":"","text":"filled at café\n''\"\\"}' AS BLOB),x'7ABE5382AD5D5D037BC748BCDD5B6083DCCCAE31D38E3500243BB21915BABE83');
INSERT INTO "journal" VALUES(3,2,'BookMoved',CAST('{"type":"BookMoved","sequence":3,"ordinal":2,"ts":3,"correlation_id":"c3","strategy_id":"vwap","symbol":"SPHD","cause":"fill","change":"2.123456789","price":"41.24","fee":"0.01","quantity":"6.370370367","cost":"262.71407393508","realized":"-1.2300","cash":"99999"}' AS BLOB),x'F61E5442F8C527CD609F166EDB45F040210B8C78C1613FE9907CEFDDDC818546');
INSERT INTO "journal" VALUES(4,1,'LimitMoved',CAST('{"type":"LimitMoved","sequence":4,"ordinal":1,"ts":4,"limit":"daily","state":"fired","loss":"50.25","level":"50","until_ns":null,"session":"2026-01-05"}' AS BLOB),x'1A76EFD80CC7420A5A6F88DE2DC56935908CC0441F026DF7E0BC8D5A34091AE9');
CREATE TABLE limits (
        place INTEGER PRIMARY KEY,
        "limit" TEXT NOT NULL UNIQUE,
        state TEXT NOT NULL,
        loss TEXT NOT NULL,
        level TEXT NOT NULL,
        until_ns INTEGER,
        session TEXT NOT NULL,
        updated_ns INTEGER NOT NULL
    ) STRICT;
INSERT INTO "limits" VALUES(1,'daily','fired','50.25','50',NULL,'2026-01-05',4);
CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT, WITHOUT ROWID;
INSERT INTO "meta" VALUES('created','2026-01-05T14:30:00Z');
INSERT INTO "meta" VALUES('desk','demo');
INSERT INTO "meta" VALUES('verified','{"sequence":0,"ordinal":0,"rows":0,"hash":"0000000000000000000000000000000000000000000000000000000000000000"}');
CREATE TABLE orders (
        place INTEGER PRIMARY KEY,
        client_order_id TEXT NOT NULL UNIQUE,
        broker_order_id TEXT NOT NULL,
        correlation_id TEXT NOT NULL,
        strategy_id TEXT NOT NULL,
        symbol TEXT NOT NULL,
        purpose TEXT NOT NULL,
        side TEXT NOT NULL,
        order_type TEXT NOT NULL,
        time_in_force TEXT NOT NULL,
        quantity TEXT,
        notional TEXT,
        limit_price TEXT,
        stop_price TEXT,
        reference_price TEXT NOT NULL,
        state TEXT NOT NULL,
        filled_quantity TEXT NOT NULL,
        created_ns INTEGER NOT NULL,
        updated_ns INTEGER NOT NULL,
        code TEXT NOT NULL,
        text TEXT NOT NULL
    ) STRICT;
INSERT INTO "orders" VALUES(1,'m1-demo-2','b-m1-demo-2','c2','vwap','SPHD','entry','buy','limit','day','2.123456789',NULL,'41.25',NULL,'41.2','filled','2.123456789',2,3,'','filled at café
''"\');
CREATE TABLE positions (
        place INTEGER PRIMARY KEY,
        strategy_id TEXT NOT NULL,
        symbol TEXT NOT NULL,
        quantity TEXT NOT NULL,
        cost TEXT NOT NULL,
        average_price TEXT NOT NULL,
        realized TEXT NOT NULL,
        updated_ns INTEGER NOT NULL,
        mark TEXT,
        protection TEXT NOT NULL,
        UNIQUE (strategy_id, symbol)
    ) STRICT;
INSERT INTO "positions" VALUES(1,'vwap','SPHD','6.370370367','262.71407393508','41.240000000','-1.2300',3,'41.5','');
CREATE TABLE snapshot (
        id INTEGER PRIMARY KEY CHECK (id = 1),
        sequence INTEGER NOT NULL,
        body BLOB NOT NULL,
        digest BLOB NOT NULL
    ) STRICT;
INSERT INTO "snapshot" VALUES(1,4,x'85A873657175656E636504A6656E67696E65C50320656E67696E652034656E67696E652034656E67696E652034656E67696E652034656E67696E652034656E67696E652034656E67696E652034656E67696E652034656E67696E652034656E67696E652034656E67696E652034656E67696E652034656E67696E652034656E67696E652034656E67696E652034656E67696E652034656E67696E652034656E67696E652034656E67696E652034656E67696E652034656E67696E652034656E67696E652034656E67696E652034656E67696E652034656E67696E652034656E67696E652034656E67696E652034656E67696E652034656E67696E652034656E67696E652034656E67696E652034656E67696E652034656E67696E652034656E67696E652034656E67696E652034656E67696E652034656E67696E652034656E67696E652034656E67696E652034656E67696E652034656E67696E652034656E67696E652034656E67696E652034656E67696E652034656E67696E652034656E67696E652034656E67696E652034656E67696E652034656E67696E652034656E67696E652034656E67696E652034656E67696E652034656E67696E652034656E67696E652034656E67696E652034656E67696E652034656E67696E652034656E67696E652034656E67696E652034656E67696E652034656E67696E652034656E67696E652034656E67696E652034656E67696E652034656E67696E652034656E67696E652034656E67696E652034656E67696E652034656E67696E652034656E67696E652034656E67696E652034656E67696E652034656E67696E652034656E67696E652034656E67696E652034656E67696E652034656E67696E652034656E67696E652034656E67696E652034656E67696E652034656E67696E652034656E67696E652034656E67696E652034656E67696E652034656E67696E652034656E67696E652034656E67696E652034656E67696E652034656E67696E652034656E67696E652034656E67696E652034656E67696E652034656E67696E652034656E67696E652034656E67696E652034656E67696E652034656E67696E652034656E67696E652034656E67696E652034656E67696E652034A576656E7565C40576656E7565A372756EC0A6637572736F72C0',x'796FC2CA2EF7C036AB8106351C857D128106EB16E27568F02EAE5C66CA4BB03A');
CREATE TRIGGER journal_grows_at_its_end BEFORE INSERT ON journal
    WHEN (NEW.sequence, NEW.ordinal)
        <= (SELECT sequence, ordinal FROM journal ORDER BY sequence DESC, ordinal DESC LIMIT 1)
    BEGIN
        SELECT RAISE(ABORT, 'the journal grows at its end only');
    END;
CREATE TRIGGER journal_is_never_changed BEFORE UPDATE ON journal
    BEGIN
        SELECT RAISE(ABORT, 'the journal is never changed');
    END;
CREATE TRIGGER journal_is_never_shortened BEFORE DELETE ON journal
    BEGIN
        SELECT RAISE(ABORT, 'the journal is never shortened');
    END;
COMMIT;
